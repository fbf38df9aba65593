import { randomBytes } from 'node:crypto';
import { UnauthorizedError } from '@floy/domain';
import type { Knex } from 'knex';
import { hashSecret, type TokenHolder } from './tokens.js';

/** How long a browser stays logged in, in seconds. */
export const SESSION_SECONDS = 12 * 3600;

export interface SessionRepository {
  /** Begins a session for the holder of a token; answers the secret of its cookie. */
  begin(tokenId: string): Promise<string>;
  /** Throws UnauthorizedError when it has ended, or its token has. */
  authenticate(secret: string): Promise<TokenHolder>;
  end(secret: string): Promise<void>;
}

/** Sessions of browsers: made from a token and ended with it. */
export function createSessionRepository(knex: Knex): SessionRepository {
  return {
    async begin(tokenId) {
      const secret = randomBytes(32).toString('base64url');
      const expires_at = knex.raw(`clock_timestamp() + interval '${SESSION_SECONDS} seconds'`);
      await knex('sessions').where('expires_at', '<', knex.fn.now()).delete();
      await knex('sessions').insert({ hash: hashSecret(secret), token_id: tokenId, expires_at });
      return secret;
    },
    async authenticate(secret) {
      const { rows } = await knex.raw<{ rows: TokenHolder[] }>(
        `SELECT t.id, t.owner, t.role FROM sessions s JOIN tokens t ON t.id = s.token_id
         WHERE s.hash = ? AND s.expires_at > clock_timestamp() AND t.revoked_at IS NULL
           AND coalesce(t.expires_at > clock_timestamp(), true)`,
        [hashSecret(secret)],
      );
      const [holder] = rows;
      if (holder === undefined) throw new UnauthorizedError('The session has ended');
      return holder;
    },
    async end(secret) {
      await knex('sessions')
        .where({ hash: hashSecret(secret) })
        .delete();
    },
  };
}

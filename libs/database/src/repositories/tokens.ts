import { createHash, randomBytes } from 'node:crypto';
import type { CreatedToken, CreateTokenRequest, Listed, Page, Role, Token } from '@floy/contracts';
import { UnauthorizedError } from '@floy/domain';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import { findById, found, listed } from './find.js';

/** What every token begins with, so that scanners find one that leaked. */
export const TOKEN_PREFIX = 'floy_pat_';

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly role: Role;
  readonly hash: Buffer;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

/** Who a valid token stands for. */
export interface TokenHolder {
  readonly id: string;
  readonly owner: string;
  readonly role: Role;
}

/** A new secret: 256 random bits. */
export function newTokenSecret(): string {
  return TOKEN_PREFIX + randomBytes(32).toString('base64url');
}

/**
 * What is stored of a token. A plain hash is enough for 256 random bits; looking it up by its hash
 * tells nothing about another token by the time it takes.
 */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

export interface TokenRepository {
  create(token: CreateTokenRequest, createdBy: string, secret?: string): Promise<CreatedToken>;
  list(page: Page): Promise<Listed<Token>>;
  /** Ends a token; it stays listed. Throws NotFoundError. */
  revoke(id: string): Promise<void>;
  /** Throws UnauthorizedError for a token that is unknown, expired or revoked. */
  authenticate(secret: string): Promise<TokenHolder>;
  /** Whether a token that was authenticated before still is one. */
  isValid(id: string): Promise<boolean>;
  /** Makes the first token with this secret, unless it is there already; revoked it stays so. */
  ensure(secret: string, token: CreateTokenRequest): Promise<void>;
}

export function createTokenRepository(knex: Knex): TokenRepository {
  const insert = async (request: CreateTokenRequest, createdBy: string, secret: string) => {
    const { name, owner, role, expires_at } = request;
    const row = { id: newId('tok'), name, owner, role, expires_at: expires_at ?? null };
    const hash = hashSecret(secret);
    return knex('tokens')
      .insert({ ...row, hash, created_by: createdBy })
      .onConflict('hash')
      .ignore()
      .returning<TokenRow[]>('*');
  };
  return {
    async create(request, createdBy, secret = newTokenSecret()) {
      const rows = await insert(request, createdBy, secret);
      return { ...tokenOf(found(rows[0], 'token', '')), token: secret };
    },
    list: (page) => listed(knex('tokens').select('*'), page, tokenOf),
    async revoke(id) {
      await findById<TokenRow>(knex('tokens').where({ id }), 'tok', 'token', id);
      const revoked_at = knex.raw('coalesce(revoked_at, clock_timestamp())');
      await knex('tokens').where({ id }).update({ revoked_at });
      await knex('sessions').where({ token_id: id }).delete();
    },
    async authenticate(secret) {
      const [row] = (await knex<TokenRow>('tokens')
        .where({ hash: hashSecret(secret) })
        .select([
          '*',
          knex.raw('coalesce(expires_at <= clock_timestamp(), false) AS expired'),
        ])) as (TokenRow & { expired: boolean })[];
      if (row === undefined) throw new UnauthorizedError('The token is not known');
      if (row.revoked_at !== null) throw new UnauthorizedError('The token was revoked');
      if (row.expired) throw new UnauthorizedError('The token has expired');
      await noteUse(knex, row);
      return { id: row.id, owner: row.owner, role: row.role };
    },
    async isValid(id) {
      const rows = await knex('tokens')
        .where({ id, revoked_at: null })
        .whereRaw('coalesce(expires_at > clock_timestamp(), true)')
        .select('id');
      return rows.length === 1;
    },
    async ensure(secret, request) {
      await insert(request, request.owner, secret);
    },
  };
}

/** At most once a minute, so that reading does not become writing. */
async function noteUse(knex: Knex, row: TokenRow): Promise<void> {
  const before = row.last_used_at?.getTime() ?? 0;
  if (Date.now() - before < 60_000) return;
  await knex('tokens')
    .where({ id: row.id })
    .update({ last_used_at: knex.raw('clock_timestamp()') });
}

function tokenOf(row: TokenRow): Token {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    role: row.role,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}

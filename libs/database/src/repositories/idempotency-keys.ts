import { createHash } from 'node:crypto';
import { ConflictError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import type { Knex } from 'knex';

/** How long an answer can be repeated. */
const KEPT = "interval '24 hours'";

/** One POST with an Idempotency-Key: per token and route (with its ids). */
export interface RepeatableRequest {
  readonly tokenId: string;
  readonly route: string;
  readonly key: string;
  readonly body: Uint8Array;
}

/** An answer as it was first given. */
export interface KeptAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: unknown;
}

/** `first`: go on; `answered`: say the same again; `working`: the first one has not answered yet. */
export type Claim =
  | { readonly state: 'first' }
  | { readonly state: 'answered'; readonly answer: KeptAnswer }
  | { readonly state: 'working' };

interface KeyRow {
  readonly body_hash: Buffer;
  readonly status: number | null;
  readonly location: string | null;
  readonly answer: Buffer | null;
}

export interface IdempotencyKeys {
  /**
   * Claims the key in the transaction of the effect. Two at once: the second waits at the unique
   * index until the first commits or rolls back. Throws ConflictError for another body.
   */
  claim(request: RepeatableRequest): Promise<Claim>;
  keep(request: RepeatableRequest, answer: KeptAnswer): Promise<void>;
  /** What became of a claimed key. */
  look(request: RepeatableRequest): Promise<Claim>;
  /** Removes a key whose effect was refused after its claim. */
  forget(request: RepeatableRequest): Promise<void>;
}

/** Keys of repeatable requests; answers are sealed, bodies kept as hashes. */
export function createIdempotencyKeys(knex: Knex, sealer: Sealer): IdempotencyKeys {
  const keyOf = ({ tokenId, route, key }: RepeatableRequest) => ({ token_id: tokenId, route, key });

  async function look(request: RepeatableRequest): Promise<Claim> {
    const [row] = (await knex('idempotency_keys').where(keyOf(request)).select('*')) as KeyRow[];
    if (row === undefined) return { state: 'first' };
    if (!row.body_hash.equals(hashOf(request.body))) {
      throw new ConflictError('The Idempotency-Key was used with another body', {
        'Idempotency-Key': 'was used with another body',
      });
    }
    if (row.answer === null || row.status === null) return { state: 'working' };
    const text = sealer.open(row.answer, place(request)).toString('utf8');
    const body: unknown = JSON.parse(text);
    return {
      state: 'answered',
      answer: { status: row.status, location: row.location ?? undefined, body },
    };
  }

  return {
    async claim(request) {
      await knex('idempotency_keys')
        .where(keyOf(request))
        .whereRaw(`created_at < clock_timestamp() - ${KEPT}`)
        .delete();
      const row = { ...keyOf(request), body_hash: hashOf(request.body) };
      const inserted = await knex('idempotency_keys')
        .insert(row)
        .onConflict(['token_id', 'route', 'key'])
        .ignore()
        .returning('key');
      return inserted.length === 1 ? { state: 'first' } : look(request);
    },
    async keep(request, { status, location, body }) {
      const answer = sealer.seal(JSON.stringify(body), place(request));
      await knex('idempotency_keys')
        .where(keyOf(request))
        .update({ status, location: location ?? null, answer });
    },
    look,
    async forget(request) {
      await knex('idempotency_keys').where(keyOf(request)).delete();
    },
  };
}

/** Removes keys that are kept no longer. */
export async function pruneIdempotencyKeys(knex: Knex): Promise<void> {
  await knex('idempotency_keys').whereRaw(`created_at < clock_timestamp() - ${KEPT}`).delete();
}

function hashOf(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}

function place({ tokenId, route, key }: RepeatableRequest): string {
  return `idempotency_keys.answer:${JSON.stringify([tokenId, route, key])}`;
}

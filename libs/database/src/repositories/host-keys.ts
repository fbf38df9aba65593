import type { HostKey } from '@floy/contracts';
import type { Knex } from 'knex';
import type { Transaction } from '../transaction.js';

/** Where a key belongs. */
export interface HostKeyPlace {
  readonly environmentId: string;
  readonly host: string;
  readonly port: number;
}

/** The fingerprint pinned for a host, or undefined while none is. */
export async function pinnedHostKey(knex: Knex, place: HostKeyPlace): Promise<string | undefined> {
  const { environmentId: environment_id, host, port } = place;
  const rows = (await knex('host_keys')
    .where({ environment_id, host, port })
    .select('fingerprint')) as { fingerprint: string }[];
  return rows[0]?.fingerprint;
}

/**
 * Pins the first key seen of a host, with an event in the environment's history. Answers the
 * fingerprint that is pinned from now on: another one where somebody pinned at the same moment.
 */
export async function pinFirstSeen(
  tx: Transaction,
  place: HostKeyPlace,
  fingerprint: string,
): Promise<string> {
  const row = rowOf(place, fingerprint, '');
  const pinned = await tx
    .knex('host_keys')
    .insert(row)
    .onConflict(['environment_id', 'host', 'port'])
    .ignore()
    .returning('host');
  if (pinned.length === 0) return (await pinnedHostKey(tx.knex, place)) ?? fingerprint;
  note(tx, 'host-key.pinned', place, fingerprint, '');
  return fingerprint;
}

/** Accepts a fingerprint, from now on as the only one, by an admin's word. */
export async function approveHostKey(
  tx: Transaction,
  place: HostKeyPlace,
  fingerprint: string,
  actor: string,
): Promise<HostKey> {
  const row = rowOf(place, fingerprint, actor);
  await tx
    .knex('host_keys')
    .insert(row)
    .onConflict(['environment_id', 'host', 'port'])
    .merge({ fingerprint, pinned_by: actor, pinned_at: tx.knex.fn.now() });
  note(tx, 'host-key.approved', place, fingerprint, actor);
  const { environment_id, host, port } = row;
  return { environment_id, host, port, fingerprint };
}

function rowOf(place: HostKeyPlace, fingerprint: string, by: string) {
  const { environmentId: environment_id, host, port } = place;
  return { environment_id, host, port, fingerprint, pinned_by: by };
}

function note(
  tx: Transaction,
  type: 'host-key.pinned' | 'host-key.approved',
  { environmentId, host, port }: HostKeyPlace,
  fingerprint: string,
  actor: string,
): void {
  const data = { host, port, fingerprint };
  tx.event({ stream: environmentId, type, subject: environmentId, actor, data });
}

import { hostAddress, type HostKey, type PinnedKey } from '@floy/contracts';
import type { Knex } from 'knex';
import type { Transaction } from '../transaction.js';

/** A host, and the environment on whose behalf it is reached. */
export interface HostKeyPlace {
  readonly environmentId: string;
  readonly host: string;
  readonly port: number;
}

/** The key that is pinned for a host, whichever environment it was pinned for. */
export interface PinnedHostKey {
  readonly fingerprint: string;
  /** By an admin's word; else it was the first that was seen. */
  readonly approved: boolean;
}

/** The key pinned for a host in the whole installation, or undefined while none is. */
export async function pinnedHostKey(
  knex: Knex,
  place: HostKeyPlace,
): Promise<PinnedHostKey | undefined> {
  const [row] = (await knex('host_keys')
    .where({ host: hostAddress(place.host), port: place.port })
    .select('fingerprint', 'pinned_by')) as { fingerprint: string; pinned_by: string }[];
  return row && { fingerprint: row.fingerprint, approved: row.pinned_by !== '' };
}

/** The keys that are pinned for these hosts, by address and port; none for a host without one. */
export async function listPinnedKeys(
  knex: Knex,
  hosts: readonly Pick<HostKeyPlace, 'host' | 'port'>[],
): Promise<PinnedKey[]> {
  const addresses = hosts.map(({ host }) => hostAddress(host));
  const { rows } = await knex.raw<{ rows: (HostKey & { pinned_by: string; pinned_at: Date })[] }>(
    `SELECT environment_id, host, port, fingerprint, pinned_by, pinned_at FROM host_keys
     WHERE (host, port) IN (SELECT * FROM unnest(?::text[], ?::int[])) ORDER BY host, port`,
    [addresses, hosts.map(({ port }) => port)],
  );
  return rows.map(({ pinned_by: approved_by, pinned_at, ...key }) => ({
    ...key,
    approved_by,
    pinned_at: pinned_at.toISOString(),
  }));
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
    .onConflict(['host', 'port'])
    .ignore()
    .returning('host');
  if (pinned.length === 0) return (await pinnedHostKey(tx.knex, place))?.fingerprint ?? fingerprint;
  note(tx, 'host-key.pinned', place, fingerprint, '');
  return fingerprint;
}

/** Accepts a fingerprint, from now on as the only one in all environments, by an admin's word. */
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
    .onConflict(['host', 'port'])
    .merge({ ...row, pinned_at: tx.knex.fn.now() });
  note(tx, 'host-key.approved', place, fingerprint, actor);
  const { environment_id, host, port } = row;
  return { environment_id, host, port, fingerprint };
}

function rowOf(place: HostKeyPlace, fingerprint: string, by: string) {
  const { environmentId: environment_id, port } = place;
  return { environment_id, host: hostAddress(place.host), port, fingerprint, pinned_by: by };
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

import type { Database } from '../database.js';
import type { Lease } from '../leases.js';

/**
 * Keeps why the target of an instance cannot be reached and until when that is tried, for people who
 * wait for it; empty when it is reached again. Only who holds the target's lease may say so.
 */
export async function noteUnreachable(
  database: Database,
  lease: Lease,
  instanceId: string,
  text: string,
): Promise<void> {
  await database.knex.raw(
    `UPDATE release_instances SET unreachable = ?, updated_at = now()
     WHERE id = ? AND EXISTS (
       SELECT 1 FROM leases WHERE subject = ? AND epoch = ? AND holder IS NOT NULL)`,
    [text, instanceId, lease.subject, lease.epoch],
  );
}

import { isFinal, statesBefore, type Machine, type StatusOf } from '@floy/domain';
import type { Transaction } from '../transaction.js';

const tables: Record<Machine, string> = {
  deployment: 'deployments',
  workflow: 'workflows',
  task: 'tasks',
  release: 'releases',
  instance: 'release_instances',
};

/**
 * The one statement that writes a status: a compare-and-set against the transition table, with
 * whatever columns change along. False where the row is no longer in a state that allows it.
 */
export async function setStatus<M extends Machine>(
  tx: Transaction,
  machine: M,
  id: string,
  status: StatusOf<M>,
  columns: Record<string, unknown> = {},
): Promise<boolean> {
  const finished =
    isFinal(machine, status) && machine !== 'workflow' ? { completed_at: tx.knex.fn.now() } : {};
  const changed = await tx
    .knex(tables[machine])
    .where('id', id)
    .whereIn('status', statesBefore(machine, status))
    .update({ status, updated_at: tx.knex.fn.now(), ...finished, ...columns });
  return changed === 1;
}

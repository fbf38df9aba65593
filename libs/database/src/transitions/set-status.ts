import { isFinal, statesBefore, type Machine, type StatusOf } from '@floy/domain';
import type { Knex } from 'knex';
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
  const { changed } = await tx.built(update(tx, machine, status, columns).where('id', id));
  return changed === 1;
}

/** The same for several at once; answers those that were in a state that allows it. */
export async function setStatusOfAll<M extends Machine, K extends string>(
  tx: Transaction,
  machine: M,
  ids: readonly string[],
  status: StatusOf<M>,
  columns: Record<string, unknown>,
  answer: readonly K[],
): Promise<Record<K | 'id', string>[]> {
  const { build } = tx;
  const { rows } = await tx.built<Record<K | 'id', string>>(
    update(tx, machine, status, columns)
      .where('id', '=', build.raw('ANY(?)', [[...ids]]))
      .returning(['id', ...answer]),
  );
  return ids.flatMap((id) => rows.find((row) => row.id === id) ?? []);
}

function update<M extends Machine>(
  { build }: Transaction,
  machine: M,
  status: StatusOf<M>,
  columns: Record<string, unknown>,
): Knex.QueryBuilder {
  const finished =
    isFinal(machine, status) && machine !== 'workflow' ? { completed_at: build.fn.now() } : {};
  return build(tables[machine])
    .whereIn('status', statesBefore(machine, status))
    .update({ status, updated_at: build.fn.now(), ...finished, ...columns });
}

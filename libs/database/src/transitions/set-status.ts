import { isFinal, statesBefore, type Machine, type StatusOf } from '@floy/domain';
import type { Knex } from 'knex';
import { tables } from '../machine-tables.js';
import { builtChangesOf, builtRowsOf, reading, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';

/**
 * The one statement that writes a status: a compare-and-set against the transition table, with
 * whatever columns change along. False where the row is no longer in a state that allows it.
 */
export function settingStatus<M extends Machine>(
  { build }: Pick<Transaction, 'build'>,
  machine: M,
  id: string,
  status: StatusOf<M>,
  columns: Record<string, unknown> = {},
): Statement<boolean> {
  const query = update(build, machine, status, columns).where('id', id);
  return reading(builtChangesOf(query), (changed) => changed === 1);
}

/** The same for several at once; answers those that were in a state that allows it, in order. */
export function settingStatusOfAll<M extends Machine, K extends string>(
  { build }: Pick<Transaction, 'build'>,
  machine: M,
  ids: readonly string[],
  status: StatusOf<M>,
  columns: Record<string, unknown>,
  answer: readonly K[],
): Statement<Record<K | 'id', string>[]> {
  const query = update(build, machine, status, columns)
    .where('id', '=', build.raw('ANY(?)', [[...ids]]))
    .returning(['id', ...answer]);
  return reading(builtRowsOf<Record<K | 'id', string>>(query), (rows) =>
    ids.flatMap((id) => rows.find((row) => row.id === id) ?? []),
  );
}

/** Sets one status, alone. */
export async function setStatus<M extends Machine>(
  tx: Transaction,
  machine: M,
  id: string,
  status: StatusOf<M>,
  columns: Record<string, unknown> = {},
): Promise<boolean> {
  const [changed] = await tx.together(settingStatus(tx, machine, id, status, columns));
  return changed;
}

function update<M extends Machine>(
  build: Knex,
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

import { fold } from '@floy/domain';
import type { Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { applyChanges } from './apply.js';
import { lockingTree, treeOf } from './load-tree.js';
import { createTaskScheduler } from './task-scheduler.js';

/** Far more rounds than any fold takes; one that needs them all does not come to an end. */
const maxRounds = 50;

/**
 * Folds a deployment until nothing follows, and carries out what was decided: the one way by which
 * work moves on. Called by whoever ended a part, in the transaction that ended it. `first` travels
 * with the first look, which sees what it has done.
 */
export async function advanceDeployment(
  tx: Transaction,
  id: string,
  first: readonly Statement<unknown>[] = [],
): Promise<void> {
  let before = first;
  for (let round = 0; round < maxRounds; round += 1) {
    const answers = await tx.together(...before, ...lockingTree(id));
    const seen: unknown = answers.slice(before.length);
    before = [];
    const locked = treeOf(seen as Parameters<typeof treeOf>[0]);
    if (!locked) return;
    const { deployment, tree, now } = locked;
    const changes = fold(tree, now.getTime());
    if (changes.length === 0) return;
    await applyChanges(tx, deployment, tree, changes, taskScheduler(tx));
  }
  throw new Error(`the fold of deployment ${id} does not come to an end`);
}

/** The seeds' TaskScheduler in a transaction. The fold hands tasks out by it. */
export function taskScheduler(tx: Transaction) {
  return createTaskScheduler(tx, (deploymentId) => advanceDeployment(tx, deploymentId));
}

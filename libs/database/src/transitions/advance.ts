import { fold } from '@floy/domain';
import type { Transaction } from '../transaction.js';
import { applyChanges } from './apply.js';
import { lockTree } from './load-tree.js';

/** Far more rounds than any fold takes; one that needs them all does not come to an end. */
const maxRounds = 50;

/**
 * Folds a deployment until nothing follows, and carries out what was decided: the one way by which
 * work moves on. Called by whoever ended a part, in the transaction that ended it.
 */
export async function advanceDeployment(tx: Transaction, id: string): Promise<void> {
  for (let round = 0; round < maxRounds; round += 1) {
    const [now, locked] = await Promise.all([tx.now(), lockTree(tx, id)]);
    if (!locked) return;
    const { deployment, tree } = locked;
    const changes = fold(tree, now.getTime());
    if (changes.length === 0) return;
    await applyChanges(tx, deployment, tree, changes);
  }
  throw new Error(`the fold of deployment ${id} does not come to an end`);
}

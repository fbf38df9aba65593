import { ConflictError, ForbiddenError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import { rowOf, rowsOf } from '../statement.js';
import type { Transaction } from '../transaction.js';

/**
 * Throws ForbiddenError where a deployment has to be approved by a second person and `actor` has
 * made it or put it back into the queue, and ConflictError before its plan says whether it has to.
 * The deployment's row has to be locked by the caller.
 *
 * A person is the owner of a token: all tokens of one owner are one person, and a token keeps its
 * owner for life. Owners that differ in case or in spaces around them are one as well.
 */
export async function refuseOwnApproval(
  tx: Transaction,
  deployment: DeploymentRow,
  actor: string,
): Promise<void> {
  const [unplanned, needed, retries] = await tx.together(
    rowOf("SELECT 1 FROM workflows WHERE deployment_id = ? AND status = 'pending'", [
      deployment.id,
    ]),
    rowOf(
      `SELECT 1 FROM tasks WHERE deployment_id = ? AND (plan->>'secondPerson')::boolean LIMIT 1`,
      [deployment.id],
    ),
    rowsOf<{ actor: string }>(
      "SELECT actor FROM events WHERE stream = ? AND type = 'deployment.retried'",
      [deployment.id],
    ),
  );
  if (unplanned) {
    throw new ConflictError(
      `Deployment ${deployment.id} is not planned yet: there is nothing to approve`,
    );
  }
  if (!needed) return;
  const makers = [deployment.created_by, ...retries.map((retry) => retry.actor)];
  if (!makers.map(personOf).includes(personOf(actor))) return;
  throw new ForbiddenError(
    `Deployment ${deployment.id} was made or retried by ${actor}: with approval "second-person" ` +
      'somebody else has to approve it',
  );
}

function personOf(owner: string): string {
  return owner.normalize('NFKC').trim().toLowerCase();
}

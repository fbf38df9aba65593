import { ConflictError, NotFoundError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';

/** Asks for the version that was live before. A tag of that name is given by its version's id. */
export const PREVIOUS = 'previous';

/** The version of this id, or of this tag in the repository of the deployment. Throws NotFoundError. */
export async function versionNamed(
  tx: Transaction,
  deployment: DeploymentRow,
  named: string,
): Promise<string> {
  const version = await tx.row<{ id: string }>(
    `SELECT v.id FROM versions v LEFT JOIN versions own ON own.id = ?
     WHERE v.id = ? OR (v.git_tag = ? AND v.repository_key = own.repository_key)
     ORDER BY v.id = ? DESC LIMIT 1`,
    [deployment.version_id, named, named, named],
  );
  if (version) return version.id;
  throw new NotFoundError(`There is no version ${named}`, {
    target_version_id: `no version has the id or, in this repository, the tag ${named}`,
  });
}

/**
 * The version that was live and healthy before a live deployment came. What was rolled back from does
 * not count, nor what came after the release that a rollback has brought back: so two rollbacks
 * in a row go further back, and not to and fro.
 *
 * @throws ConflictError where an application has none, or where applications differ in it
 */
export async function previousVersion(
  tx: Transaction,
  deployment: DeploymentRow,
  applications: readonly { readonly id: string; readonly name: string }[],
): Promise<string> {
  const found = new Map<string, string>();
  for (const { id, name } of applications) {
    const before = await tx.row<{ id: string; git_tag: string }>(
      `SELECT v.id, v.git_tag FROM releases r
       JOIN versions v ON v.id = r.version_id JOIN deployments d ON d.id = r.deployment_id
       WHERE r.environment_id = ? AND r.application_id = ? AND r.version_id <> ?
         AND NOT r.undo AND d.status <> 'rolled_back'
         AND r.created_at < (
           SELECT min(content.created_at) FROM release_instances i
           JOIN releases own ON own.id = i.release_id AND NOT own.undo
           JOIN releases content ON content.id = i.content_release_id
           WHERE own.deployment_id = ? AND own.application_id = r.application_id)
         AND EXISTS (
           SELECT 1 FROM release_instances i JOIN healthy_releases h
             ON h.target_id = i.target_id AND h.release_id = i.content_release_id
           WHERE i.release_id = r.id AND i.verdict = 'new')
       ORDER BY r.created_at DESC, r.id DESC LIMIT 1`,
      [deployment.environment_id, id, deployment.version_id, deployment.id],
    );
    if (!before) {
      throw new ConflictError(
        `Application ${name} has no previous version there that was healthy`,
        {
          target_version_id: 'is previous, and there is none',
          application_id: id,
        },
      );
    }
    found.set(before.id, `${before.git_tag} of ${name}`);
  }
  const [version, another] = found.keys();
  if (version !== undefined && another === undefined) return version;
  throw new ConflictError(
    `The previous versions differ: ${[...found.values()].join(', ')}. Name one of them`,
    { target_version_id: 'is previous, in which the applications differ' },
  );
}

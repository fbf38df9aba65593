import { placesOf, resolvePhysicalSettings } from '@floy/contracts';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import type { DeploymentRow, ReleasePlan, TargetRow } from '@floy/database/rows';
import type { Snapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { claimTargets } from '@floy/database/transitions/targets';
import { ConflictError, InvalidRequestError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';

type Application = Snapshot['applications'][number];

/**
 * The release of one application to the hosts of its environment as they are today. Throws
 * InvalidRequestError or ConflictError for what can never be carried out, saying why.
 */
export async function planRelease(
  tx: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
  snapshot: Snapshot,
  application: Application,
): Promise<ReleasePlan> {
  const { environment, version } = snapshot;
  if (environment.type === 'kubernetes') {
    throw new InvalidRequestError('This installation has no deployer for Kubernetes environments');
  }
  const settings = resolvePhysicalSettings(environment.config, application.config);
  const today = await createEnvironmentRepository(tx.knex, sealer).getById(environment.id);
  const { service, places } = placesOf(
    { ...today.config, ...environment.config },
    application.config,
    {
      git_tag: version.git_tag,
      git_commit: version.git_commit,
      environment: environment.name,
      application: application.name,
    },
  );
  const targets = await claimTargets(
    tx,
    { environmentId: environment.id, applicationId: application.id },
    places,
  );
  return {
    service,
    versionId: version.id,
    environmentId: environment.id,
    // A migration that runs once is over before any other host is switched.
    batchSize: settings.preSwitch?.runOnce ? `1,${settings.batchSize}` : settings.batchSize,
    bakeSeconds: settings.bakeSeconds,
    maxFailures: settings.maxFailures,
    approval: settings.approval,
    runOnce: settings.preSwitch?.runOnce ?? false,
    // Staying healthy is no part of getting there in time.
    timeoutSeconds: settings.timeoutSeconds + settings.minHealthySeconds,
    retryCount: settings.retryCount,
    instances: await Promise.all(
      targets.map(async (target) => ({
        instanceId: target.instance_id,
        targetId: target.id,
        contentReleaseId:
          deployment.kind === 'rollback' ? await healthyContent(tx, target, version) : null,
      })),
    ),
  };
}

/**
 * What a rollback puts on a target: the release of that version that was healthy there, or, on a
 * host that came later, one that was healthy beside it.
 */
async function healthyContent(
  tx: Transaction,
  target: TargetRow,
  version: Snapshot['version'],
): Promise<string> {
  const row = await tx.row<{ release_id: string }>(
    `SELECT h.release_id FROM healthy_releases h
     JOIN releases r ON r.id = h.release_id JOIN targets t ON t.id = h.target_id
     WHERE t.environment_id = ? AND t.application_id = ? AND r.version_id = ?
     ORDER BY t.id = ? DESC, h.healthy_at DESC LIMIT 1`,
    [target.environment_id, target.application_id, version.id, target.id],
  );
  if (!row)
    throw new ConflictError(
      `Version ${version.git_tag} has never been healthy on ${target.instance_id}`,
    );
  return row.release_id;
}

import { deployerOf } from '@floy/contracts';
import { openEnvironmentOf, placesOfService } from '@floy/database/places';
import { healthyReleasesFor } from '@floy/database/read-models/healthy-releases';
import type { DeploymentRow, ReleasePlan } from '@floy/database/rows';
import type { Snapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { claimTargets } from '@floy/database/transitions/targets';
import { ConflictError } from '@floy/domain';

type Application = Snapshot['applications'][number];

/**
 * The release of one application to the places of its environment as they are today. Throws
 * InvalidRequestError or ConflictError for one that can never be carried out, saying why.
 */
export async function planRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  snapshot: Snapshot,
  application: Application,
): Promise<ReleasePlan> {
  const { environment, version } = snapshot;
  const { plan } = deployerOf(tx.deployers, environment.type);
  const rollout = plan.rollout(environment.config, application.config);
  const [today] = await tx.together(openEnvironmentOf(environment.id));
  // Connection keys are of today; all that the snapshot has fixed stays as it was.
  const config = { ...today?.config, ...environment.config };
  const { service, places } = await placesOfService(tx, {
    environment: { ...environment, config },
    application,
    version,
  });
  const targets = await claimTargets(
    tx,
    { kind: environment.type, environmentId: environment.id, applicationId: application.id },
    places,
  );
  const reused =
    deployment.origin === 'rollback'
      ? await healthyReleasesFor(tx, targets, version.id)
      : undefined;
  const instances = targets.map((target) => {
    const contentReleaseId = reused === undefined ? null : reused.get(target.id);
    if (contentReleaseId === undefined)
      throw new ConflictError(
        `Version ${version.git_tag} has never been healthy on ${target.instance_id}`,
      );
    return { instanceId: target.instance_id, targetId: target.id, contentReleaseId };
  });
  return {
    deployer: environment.type,
    service,
    versionId: version.id,
    version: version.git_tag,
    environmentId: environment.id,
    ...rollout,
    instances,
  };
}

import { createHash } from 'node:crypto';
import {
  buildValues,
  deployerOf,
  packageUrlOf,
  readKey,
  resolveBuildSettings,
  type BuildSettings,
  type DeployerPlan,
} from '@floy/contracts';
import { buildKeyOf } from '@floy/database/build-key';
import { knownBuild } from '@floy/database/builds';
import type { DeploymentRow, ReleasePlan } from '@floy/database/rows';
import { buildNamesOf, type Snapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import type { TaskToCreate } from '@floy/database/transitions/plan-workflow';
import { isAnswer, type PlannedTask, planTasks } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { planRelease } from './plan-release.js';

type Application = Snapshot['applications'][number];

/** Every task of a deployment, with what its worker has to know as far as it is public. */
export async function planDeployment(
  tx: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
  snapshot: Snapshot,
): Promise<TaskToCreate[]> {
  const { config, type } = snapshot.environment;
  const { plan } = deployerOf(tx.deployers, type);
  const planned = planTasks(
    snapshot.applications.map((application) => {
      const settings = resolveBuildSettings(config, application.config);
      const requires = readKey('requires', application.config) ?? [];
      return {
        ...application,
        requires,
        builds: builds(plan, settings),
        tests: settings.testCommand !== undefined,
      };
    }),
    // A rollback puts there what an earlier release has put there.
    { reuses: deployment.origin === 'rollback' },
  );
  const tasks: TaskToCreate[] = [];
  for (const task of planned) {
    const application = snapshot.applications.find(({ id }) => id === task.applicationId);
    if (application)
      tasks.push(await describe(tx, sealer, deployment, snapshot, application, task));
  }
  return tasks;
}

/** An artifact is what a build made, a package, or the checkout itself. */
function builds({ shipsArtifacts }: DeployerPlan, settings: BuildSettings): boolean {
  if (settings.buildCommand !== undefined || settings.dockerfile !== undefined) return true;
  if (shipsArtifacts) return true;
  return (
    settings.packageUrl === undefined &&
    settings.image === undefined &&
    settings.manifest === undefined
  );
}

async function describe(
  tx: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
  snapshot: Snapshot,
  application: Application,
  task: PlannedTask,
): Promise<TaskToCreate> {
  const settings = resolveBuildSettings(snapshot.environment.config, application.config);
  const base = {
    ...task,
    timeoutSeconds: settings.timeoutSeconds,
    inputs: '',
    plan: null,
    known: null,
    refusal: null,
  };
  const { version } = snapshot;
  const source = {
    repository: application.repository,
    git_tag: version.git_tag,
    git_commit: version.git_commit,
  };
  const packageUrl = packageUrlIn(snapshot, application, settings);
  const buildKey = buildKeyOf(sealer, snapshot, application, { ...settings, packageUrl });
  if (task.type === 'build') {
    return {
      ...base,
      inputs: buildKey,
      payload: { build_config: buildConfig(settings), source, build_key: buildKey },
      known: await knownBuild(tx, buildKey),
    };
  }
  if (task.type === 'test') {
    const payload = { test_config: { test_command: settings.testCommand }, source };
    // A test sees what its build sees.
    return { ...base, payload, inputs: hashOf({ ...payload, build_key: buildKey }) };
  }
  try {
    const plan = await planRelease(tx, deployment, snapshot, application);
    return { ...base, payload: deployPayload(plan), plan };
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return { ...base, payload: {}, refusal: error.message };
  }
}

/** Filled, so that another version or environment is another package; the build says what is wrong. */
function packageUrlIn(
  snapshot: Snapshot,
  application: Application,
  settings: BuildSettings,
): string | undefined {
  try {
    return packageUrlOf(settings, buildValues(buildNamesOf(snapshot, application)));
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return settings.packageUrl;
  }
}

/** What may be shown of a build: no secret is part of it. */
function buildConfig(settings: BuildSettings): Record<string, unknown> {
  return {
    build_command: settings.buildCommand ?? '',
    artifact_path: settings.artifactPath ?? '',
    ...(settings.dockerfile === undefined
      ? {}
      : { dockerfile: settings.dockerfile, build_args: settings.buildArgs }),
    ...(settings.packageUrl === undefined ? {} : { package_url: settings.packageUrl }),
  };
}

function deployPayload(plan: ReleasePlan): Record<string, unknown> {
  const { service, environmentId, batchSize, instances } = plan;
  return {
    environment_id: environmentId,
    service,
    batch_size: batchSize,
    instances: instances.map(({ instanceId }) => instanceId),
  };
}

function hashOf(inputs: object): string {
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
}

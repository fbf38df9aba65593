import { packageUrlOf } from '@floy/contracts';
import type { Transaction } from '@floy/database/transaction';
import type { TaskOutcome } from '@floy/database/transitions/task-work';
import { buildImage, findBuilder } from '../image/build-image.js';
import { takeBack } from '../sandbox/folders.js';
import type { StoredArtifact } from '@floy/service-kit/artifact-store';
import {
  fetchSource,
  inactivitySeconds,
  runConfigured,
  storeArtifact,
  type TaskRun,
} from './build.js';
import { storePackage } from './store-package.js';

/** Builds the application, and remembers the build by its key: the first stored artifact wins. */
export async function runBuild(run: TaskRun): Promise<{
  outcome: TaskOutcome;
  store(tx: Transaction): Promise<void>;
}> {
  const { task } = run.context;
  const { build_key: buildKey } = JSON.parse(task.payload) as { build_key: string };
  const { sha256, size, image, commit } = await makeArtifact(run);
  const made = { artifact_url: `/api/v1/artifacts/${sha256}`, sha256, commit, build_key: buildKey };
  const outcome: TaskOutcome = {
    status: 'success',
    result: { ...made, ...(image === undefined ? {} : { image }), reused: false },
  };
  return {
    outcome,
    async store(tx) {
      await tx.knex('artifacts').insert({ sha256, size }).onConflict('sha256').ignore();
      await tx
        .knex('builds')
        .insert({
          build_key: buildKey,
          application_id: task.application_id,
          artifact_sha256: sha256,
          image: image ?? null,
          commit,
        })
        .onConflict('build_key')
        .ignore();
    },
  };
}

interface Made extends StoredArtifact {
  readonly commit: string;
  readonly image?: string;
}

/** What ships: a package where the settings name one and build nothing, else what the checkout made. */
async function makeArtifact(run: TaskRun): Promise<Made> {
  const { settings, names, version } = run.context;
  const { buildCommand, dockerfile } = settings;
  if (buildCommand === undefined && dockerfile === undefined) {
    const url = packageUrlOf(settings, names);
    if (url !== undefined) return { ...(await storePackage(run, url)), commit: version.git_commit };
  }
  const commit = await fetchSource(run);
  if (buildCommand !== undefined) await runConfigured(run, 'build_command', buildCommand);
  await takeBack(run.workspace.source, run.deps.sandbox.user);
  const image = dockerfile === undefined ? {} : { image: await pushImage(run, dockerfile) };
  return { ...(await storeArtifact(run)), ...image, commit };
}

/** Builds the application's image; its digest is what is deployed. */
async function pushImage(run: TaskRun, dockerfile: string): Promise<string> {
  const { deps, context, workspace, signal, log } = run;
  const { settings, task, version } = context;
  const { image } = await buildImage({
    sandbox: deps.sandbox,
    builder: await findBuilder(),
    folder: workspace.source,
    dockerfile,
    buildArgs: settings.buildArgs,
    registry: settings.registry,
    ...(settings.registryAuth === undefined ? {} : { registryAuth: settings.registryAuth }),
    name: context.applicationName,
    tag: version.git_tag,
    timeoutSeconds: task.timeout_seconds,
    inactivitySeconds,
    signal,
    onOutput: log,
  });
  return image;
}

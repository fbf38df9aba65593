import { packageUrlOf } from '@floy/contracts';
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
import type { TaskOutcome } from './task-outcome.js';

/** Builds the application. Its build is to be remembered by its key. */
export async function runBuild(run: TaskRun): Promise<TaskOutcome> {
  const { task } = run.context;
  const { inputs: buildKey, application_id: applicationId } = task;
  const { sha256, size, image, commit } = await makeArtifact(run);
  const result = {
    artifact_url: `/api/v1/artifacts/${sha256}`,
    sha256,
    commit,
    build_key: buildKey,
    ...(image === undefined ? {} : { image }),
    reused: false,
  };
  return {
    status: 'success',
    result: JSON.stringify(result),
    kept: { artifact_sha256: sha256, image: image ?? null, commit },
    build: { buildKey, applicationId, sha256, size, image: image ?? null, commit },
  };
}

interface Made extends StoredArtifact {
  readonly commit: string;
  readonly image?: string;
}

/** What ships: a package where the settings name one and build nothing, else what the checkout made. */
async function makeArtifact(run: TaskRun): Promise<Made> {
  const { settings, values, version } = run.context;
  const { buildCommand, dockerfile } = settings;
  if (buildCommand === undefined && dockerfile === undefined) {
    const url = packageUrlOf(settings, values);
    if (url !== undefined) return { ...(await storePackage(run, url)), commit: version.git_commit };
  }
  const commit = await fetchSource(run);
  if (buildCommand !== undefined) await runConfigured(run, 'build_command', buildCommand);
  await takeBack(run.workspace.source, run.workspace.user);
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

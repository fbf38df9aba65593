import { builtArtifactOf } from '@floy/database/transitions/task-work';
import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { handOver } from '../sandbox/folders.js';
import { fetchSource, runConfigured, type TaskRun } from './build.js';
import type { TaskOutcome } from './task-outcome.js';

/**
 * Tests the application on a checkout of its own: a test may run on another machine than the build.
 * What the build made is there as a file, named by the variable FLOY_ARTIFACT.
 */
export async function runTest(run: TaskRun): Promise<TaskOutcome> {
  const { settings } = run.context;
  const commit = await fetchSource(run);
  const artifact = await fetchArtifact(run);
  await runConfigured(
    run,
    'test_command',
    settings.testCommand ?? 'true',
    artifact ? { FLOY_ARTIFACT: artifact } : {},
  );
  const result = JSON.stringify({ message: 'The tests passed', commit });
  return { status: 'success', result, kept: { commit } };
}

async function fetchArtifact({ deps, context, workspace }: TaskRun): Promise<string | null> {
  const sha256 = await deps.database.transaction((tx) => builtArtifactOf(tx, context.task));
  if (!sha256) return null;
  const name = 'artifact.tar.gz';
  const file = join(workspace.artifact, name);
  const stored = await deps.artifacts.open(sha256);
  await pipeline(stored.stream(), createWriteStream(file));
  await chmod(file, 0o644);
  await handOver(workspace.artifact, workspace.user);
  const { source: build, artifact } = workspace;
  return join(deps.sandbox.seen({ build, artifact }).artifact ?? artifact, name);
}

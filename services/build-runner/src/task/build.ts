import { tagWasCompared } from '@floy/database/transitions/task-work';
import { VerdictError } from '@floy/domain';
import type { StoredArtifact } from '@floy/service-kit/artifact-store';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { packArtifact } from '../artifact/pack-artifact.js';
import { checkout } from '../git/checkout.js';
import { handOver } from '../sandbox/folders.js';
import { exitVerdict, LimitPassedError } from '../sandbox/exit-verdict.js';
import { keepLastLines } from './last-lines.js';
import type { RunnerDeps } from './runner-deps.js';
import type { TaskContext } from './task-context.js';
import type { Workspace } from './workspace.js';

/** A command that prints nothing for so long is taken for dead. Seconds. */
export const inactivitySeconds = 600;

/** What a task's steps are given. */
export interface TaskRun {
  deps: RunnerDeps;
  context: TaskContext;
  workspace: Workspace;
  signal: AbortSignal;
  log(text: string): void;
  /** Masks the secrets of the application and the environment. */
  redact(text: string): string;
}

/**
 * Puts the version's commit into the workspace and hands it to the build user. The first build of a
 * version compares its commit with the one that the repository has its tag at; a tag that moves
 * later changes nothing.
 */
export async function fetchSource({
  deps,
  context,
  workspace,
  signal,
  log,
}: TaskRun): Promise<string> {
  const { version, repository, settings, task } = context;
  log(`Checking out ${version.git_commit} (${version.git_tag}) of ${repository}\n`);
  const compareTag = task.type === 'build' && !context.tagCompared;
  const { commit, lacksTag } = await checkout({
    compareTag,
    sandbox: deps.sandbox,
    repository,
    commit: version.git_commit,
    gitTag: version.git_tag,
    ...(settings.gitToken === undefined ? {} : { gitToken: settings.gitToken }),
    ...(settings.gitSshKey === undefined ? {} : { gitSshKey: settings.gitSshKey }),
    knownHostsFile: deps.knownHostsFile,
    folder: workspace.source,
    user: workspace.user,
    privateGit: deps.privateGit,
    addressRules: deps.packageRules,
    signal,
    timeoutSeconds: task.timeout_seconds,
  });
  if (lacksTag) log(`Note: the repository has no tag ${version.git_tag}; the commit counts\n`);
  if (compareTag) await deps.database.transaction(async (tx) => tagWasCompared(tx, version.id));
  await handOver(workspace.source, workspace.user);
  return commit;
}

/**
 * Runs one of the application's commands in the checkout. Throws VerdictError where it says no, with
 * its last lines.
 */
export async function runConfigured(
  run: TaskRun,
  name: 'build_command' | 'test_command',
  command: string,
  environment: Record<string, string> = {},
): Promise<void> {
  const { deps, context, workspace, signal, log } = run;
  log(`$ ${command}\n`);
  const { user, source: build, artifact } = workspace;
  const last = keepLastLines(run.redact);
  try {
    const exit = await deps.sandbox.runCommand({
      name,
      command,
      user,
      folders: { build, artifact },
      env: { ...context.environment, ...environment },
      timeoutSeconds: context.task.timeout_seconds,
      inactivitySeconds,
      signal,
      onOutput(text) {
        last.add(text);
        return log(text);
      },
    });
    const verdict = exitVerdict(name, exit);
    if (verdict) throw verdict;
  } catch (error) {
    throw error instanceof VerdictError ? last.of(error) : error;
  }
}

/** The most notes about an artifact that its log gets. */
const MOST_NOTES = 20;

/** Packs what was built and keeps it. */
export async function storeArtifact(run: TaskRun): Promise<StoredArtifact> {
  const { deps, context, workspace, log } = run;
  let notes = 0;
  const own = {
    checkout: deps.sandbox.seen({ build: workspace.source }).build,
    note(text: string): void {
      notes += 1;
      if (notes <= MOST_NOTES) log(`Note: ${text}\n`);
    },
  };
  const stored = await withinTime(run, 'packing the artifact', async (signal) =>
    deps.artifacts.put(
      await packArtifact(workspace.source, context.settings.artifactPath, { signal, own }),
    ),
  );
  log(`Stored ${stored.sha256} (${stored.size} bytes)\n`);
  return stored;
}

/** Does a step of Floy's own for as long as a task may take, and until it is cancelled. */
export async function withinTime<T>(
  { context, signal }: Pick<TaskRun, 'context' | 'signal'>,
  name: string,
  step: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeout_seconds: seconds } = context.task;
  const within = narrowSignal(signal);
  within.abortAfter(
    seconds * 1000,
    new LimitPassedError(`${name} took longer than ${seconds} s and was ended`),
  );
  try {
    return await step(within.signal);
  } catch (error) {
    within.signal.throwIfAborted();
    throw error;
  } finally {
    within.release();
  }
}

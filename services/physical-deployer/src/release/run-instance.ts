import { finishInstance, type Observation } from '@floy/database/transitions/instance-work';
import { CouldNotTellError, isAnswer, messageOf, UnavailableError } from '@floy/domain';
import type { Work } from '@floy/messaging/handlers';
import type { HostRelease, HostWork } from '../rollout/host-work.js';
import { askedOf } from '../rollout/look-at-health.js';
import { observeHost } from '../rollout/observe-host.js';
import type { DeployerDeps } from './deployer-deps.js';
import { hostReleaseOf, hostWorkOf, outputOf } from './host-work-of.js';
import { loadInstance, type InstanceContext } from './instance-context.js';
import { releaseIn } from './release-dir.js';

export interface InstanceJob {
  ids: { deploymentId: string; instanceId: string };
  succeeds: 'staged' | 'succeeded';
  /**
   * The work itself; what it throws is the verdict, or says that there is none. It may answer the
   * release that it found there, healthy and the very same: then the instance has succeeded.
   */
  act(host: HostWork, release: HostRelease, context: InstanceContext): Promise<Found>;
}

/** The id of a release that was there already. */
type Found = string | undefined;

/**
 * Carries out one instance's work and writes how it ended. A verdict (VerdictError) and an outcome
 * that could not be told (CouldNotTellError, after its retries on the host) both end the instance as
 * failed; a lost lease writes nothing, and an outage of Postgres is waited through.
 */
export async function runInstance(deps: DeployerDeps, work: Work, job: InstanceJob): Promise<void> {
  let context: InstanceContext;
  try {
    context = await work.throughOutages(() =>
      loadInstance(deps.database, deps.sealer, job.ids.instanceId),
    );
  } catch (error) {
    if (!isAnswer(error)) throw error;
    const end = { status: 'failed', message: error.message, observation: null } as const;
    return work.finish((tx) => finishInstance(tx, job.ids, end));
  }
  const output = outputOf(deps, context);
  const host = hostWorkOf(deps, work, context, output);
  let failure: string;
  let observation: Observation | null;
  let found: Found;
  try {
    // It becomes part of events and answers.
    const attempted = await attempt(deps, job, host, context);
    ({ found } = attempted);
    failure = output.redactor.redact(attempted.failure);
    observation = failure
      ? await observeAfter(deps, job, host, context)
      : seenBy(job, context, found);
    if (failure) output.log.write(`${failure}\n`);
  } finally {
    await output.close();
  }
  work.signal.throwIfAborted();
  await work.finish((tx) =>
    finishInstance(tx, job.ids, {
      status: failure ? 'failed' : found === undefined ? job.succeeds : 'succeeded',
      message: failure,
      observation,
      found,
    }),
  );
}

/** A switch that succeeded has seen the release healthy as its last act; a staging changes nothing. */
function seenBy(
  job: InstanceJob,
  { content, settings }: InstanceContext,
  found: Found,
): Observation | null {
  if (found === undefined && job.succeeds === 'staged') return null;
  return { releaseId: found ?? content.id, observed: 'new', asked: askedOf({ settings }) };
}

function observeAfter(
  deps: DeployerDeps,
  job: InstanceJob,
  host: HostWork,
  context: InstanceContext,
): Promise<Observation | null> {
  return observe(deps, host, context, { switching: job.succeeds === 'succeeded' });
}

/** The reason of a failure, or an empty text; and what was found there. */
async function attempt(
  deps: DeployerDeps,
  job: InstanceJob,
  host: HostWork,
  context: InstanceContext,
): Promise<{ failure: string; found: Found }> {
  try {
    const found = await job.act(host, await hostReleaseOf(deps, context), context);
    return { failure: '', found };
  } catch (error) {
    host.signal.throwIfAborted();
    if (!isAnswer(error)) throw error;
    const what = error instanceof CouldNotTellError ? 'could not be carried out' : 'failed';
    const failure = `${context.target.instance_id} ${what}: ${messageOf(error)}`;
    return { failure, found: undefined };
  }
}

/** Who is here has been at the host already, or has waited for it in vain. */
const ONE_LOOK = { retryCount: 1, connectMs: 5000 };
/** What that look asks for. */
const asked = 'current, status_command';

/**
 * What runs on the host now; null where the host cannot be asked. What serves cannot be told where
 * `current` points to a new release that does not run, or where a switch had begun (`switching`) and
 * the old one may have been drained or stopped without anybody undoing that, or where a switch was
 * interrupted between the environment and `current`.
 * Throws UnavailableError, which says nothing about the host.
 */
export async function observe(
  deps: DeployerDeps,
  host: HostWork,
  context: InstanceContext,
  { switching }: { readonly switching: boolean },
): Promise<Observation | null> {
  try {
    const seen = await observeHost(deps.hosts, { ...host, ...ONE_LOOK }, context.settings);
    const isNew = seen.current === context.contentDir;
    const releaseId = seen.current === null ? null : releaseIn(seen.current);
    const drained = context.settings.drainCommand !== undefined;
    const serves = isNew ? seen.running : !switching || (seen.running && !drained);
    if (seen.mixed === null && serves) {
      return { releaseId, observed: isNew ? 'new' : 'other', asked };
    }
    const environment = seen.mixed === null ? '' : `, .floy/env/current to ${seen.mixed}`;
    host.log(
      `What serves on the host cannot be told: current points to ${seen.current}${environment}`,
    );
    return { releaseId, observed: null, asked };
  } catch (error) {
    host.signal.throwIfAborted();
    if (error instanceof UnavailableError) throw error;
    host.log(`What runs on the host could not be seen: ${messageOf(error)}`);
    return null;
  }
}

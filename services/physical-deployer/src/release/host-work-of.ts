import type { Readable } from 'node:stream';
import type { Database } from '@floy/database/database';
import { forgetBuildsOf } from '@floy/database/builds';
import { createTaskLog, type TaskLog } from '@floy/database/task-log';
import { beginStep } from '@floy/database/transitions/instance-work';
import { noteUnreachable } from '@floy/database/transitions/unreachable';
import { NotFoundError, VerdictError } from '@floy/domain';
import type { Work } from '@floy/messaging/handlers';
import type { Redactor } from '@floy/secrets/redaction';
import { type HostRelease, type HostWork, STEPS } from '../rollout/host-work.js';
import type { TellUnreachable } from '../rollout/unreachable.js';
import { CONNECT_MS } from '../rollout/with-host.js';
import type { VerifyHostKey } from '../ssh/connect.js';
import { signLink } from '@floy/secrets/signed-link';
import type { DeployerDeps } from './deployer-deps.js';
import type { InstanceContext } from './instance-context.js';
import { verifyHostKey } from './verify-host-key.js';

/** The right to act on a target, as the code that acts on hosts sees it. */
export function hostWorkOf(
  deps: DeployerDeps,
  work: Work,
  context: InstanceContext,
  { log, redactor }: Output,
): HostWork {
  const { database } = deps;
  return {
    id: context.release.id,
    group: context.release.id,
    installation: deps.installation,
    epoch: BigInt(work.lease.epoch),
    connection: context.connection,
    retryCount: context.release.retry_count,
    connectMs: CONNECT_MS,
    verifyHostKey: rememberedBy(verifierOf(database, context)),
    signal: work.signal,
    async beforeStep(name) {
      const step = { name, touches: STEPS[name].touches };
      await work.throughOutages(() => beginStep(database, work.lease, context.instance.id, step));
      work.assertHeld();
    },
    stepEnded: deps.stepEnded,
    unreachable: unreachableOf(database, work, context),
    redactor,
    log: (line) => log.write(`${line}\n`),
    logRoom: log.room,
  };
}

/** Keeps for people why the host cannot be reached; written once for each reason, in order. */
function unreachableOf(
  database: Database,
  work: Work,
  { instance }: InstanceContext,
): TellUnreachable {
  let shown: string | undefined;
  let writing = Promise.resolve();
  return (away) => {
    if (away?.reason === shown) return;
    shown = away?.reason;
    const text = away ? `${away.reason}; tried again until ${away.until.toISOString()}` : '';
    const write = () => noteUnreachable(database, work.lease, instance.id, text);
    // Nothing depends on it: in an outage the next reason is written.
    writing = writing.then(write).catch(() => undefined);
  };
}

function verifierOf(database: Database, { target, connection, login }: InstanceContext) {
  const place = {
    environmentId: target.environment_id,
    host: connection.host,
    port: connection.port,
  };
  return verifyHostKey(database, place, login);
}

/** One work asks about one host again and again: Postgres is asked once about a key that is right. */
function rememberedBy(verify: VerifyHostKey): VerifyHostKey {
  const right = new Set<string>();
  return async (fingerprint) => {
    if (right.has(fingerprint)) return;
    await verify(fingerprint);
    right.add(fingerprint);
  };
}

/**
 * What is put on the host. An artifact that the store no longer has is only missed where the host
 * lacks it too: returning to what is still there needs none.
 */
export async function hostReleaseOf(
  deps: DeployerDeps,
  context: InstanceContext,
): Promise<HostRelease> {
  const sha256 = context.content.artifact_sha256 ?? '';
  const stored = await deps.artifacts.open(sha256).catch((error: unknown) => {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  });
  // What is gone has to be built again by the next deployment.
  if (!stored) await deps.database.transaction((tx) => forgetBuildsOf(tx, sha256));
  const open = (): Readable => {
    if (stored) return stored.stream();
    throw new VerdictError(
      `The artifact ${sha256} of ${context.contentDir} is no longer in the store`,
    );
  };
  return {
    releaseDir: context.contentDir,
    version: context.version,
    // A host that has the release fetches nothing.
    artifact: { sha256, size: stored?.size ?? 0, link: stored && linkOf(deps, context), open },
    filesAt: Math.floor(context.release.files_at.getTime() / 1000),
    settings: context.settings,
  };
}

/** How long a host may begin to fetch what it was given a link to. Seconds. */
const LINK_SECONDS = 3600;

/** Makes the link by which the host fetches the artifact, if its settings say that it does. */
function linkOf(
  { publicUrl, sealer }: DeployerDeps,
  { settings, content }: InstanceContext,
): (() => string) | undefined {
  if (settings.transfer === 'push') return undefined;
  return () => {
    if (publicUrl === undefined)
      throw new VerdictError('transfer: pull needs FLOY_PUBLIC_URL, where hosts reach Floy');
    const sha256 = content.artifact_sha256 ?? '';
    const { expires, signature } = signLink(sealer, sha256, LINK_SECONDS);
    const link = new URL(`${publicUrl.replace(/\/$/, '')}/api/v1/downloads/${sha256}`);
    link.search = new URLSearchParams({ expires: String(expires), signature }).toString();
    return link.href;
  };
}

/** What an instance's work says, masked. */
export interface Output {
  readonly log: TaskLog;
  readonly redactor: Redactor;
  /** Stores what is left of the log. */
  close(): Promise<void>;
}

/** The live log of the instance's task; what must not be said is masked in the process' log too. */
export function outputOf(deps: DeployerDeps, context: InstanceContext): Output {
  const secrets = [...context.settings.secretValues, context.connection.privateKey];
  const { redactor, release } = deps.redactors.hold(secrets);
  const forget = deps.redactor.add(secrets);
  const log = createTaskLog(deps.taskLogs, context.release.task_id, {
    source: context.target.instance_id,
    redactor,
  });
  return {
    log,
    redactor,
    close: () =>
      log.flush().finally(() => {
        forget();
        release();
      }),
  };
}

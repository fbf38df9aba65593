import { sharedPathsProblem, type HostConnection, type HostSettings } from '@floy/contracts';
import { VerdictError } from '@floy/domain';
import type { Readable } from 'node:stream';
import type { Redactor } from '@floy/secrets/redaction';
import type { HostLock } from '../commands/host-lock.js';
import type { HostAccess } from '../ssh/connection-pool.js';
import type { TellUnreachable } from './unreachable.js';

/** How to reach a host to look at it or to run something there. */
export interface HostReach extends HostAccess {
  readonly connection: HostConnection;
  /** How often a connection that was made and broke, or an unknown outcome, is tried again. */
  readonly retryCount: number;
  /** How long connecting is tried again. */
  readonly connectMs: number;
}

/** The steps on a host, and whether the target may no longer be as it was after one has begun. */
export const STEPS = {
  stage: { touches: false },
  pre_switch: { touches: false },
  drain: { touches: true },
  switch: { touches: true },
  post_switch: { touches: true },
  undrain: { touches: true },
  restart: { touches: false },
} as const;

export type StepName = keyof typeof STEPS;

/**
 * How a step ended for this worker: it was done; the host said no; nobody saw its end; another has
 * the target; or this worker gave it up, for a cancel, an outage or a stop of the process.
 */
export type StepOutcome = 'done' | 'failed' | 'unknown' | 'lost' | 'given_up';

/** One worker's right to act on one target now. */
export interface HostWork extends HostReach {
  /**
   * Names the piece of work in the host's journal, `[A-Za-z0-9._-]`: a step that ended is never run
   * again under the same id. So a release, its undo and each retry of it have ids of their own, and
   * a worker that takes over has the id of the one it takes over from.
   */
  readonly id: string;
  /** Id of this Floy installation. */
  readonly installation: string;
  readonly epoch: bigint;
  /** Aborts when the lease is lost or the work is cancelled; its reason becomes the error. */
  readonly signal: AbortSignal;
  /** Called right before each step is started; throws LeaseLostError. */
  beforeStep(name: StepName): Promise<void>;
  /** Masks the secrets of this work: output is masked before it is cut, so that no half is left. */
  readonly redactor: Pick<Redactor, 'redact' | 'stream'>;
  /** Told of every step that was begun here, for the metrics. */
  stepEnded?(name: StepName, outcome: StepOutcome, seconds: number): void;
  /** Told after each attempt in vain to reach the host, and when it is reached again. */
  unreachable?: TellUnreachable;
  /** The live log. Secrets are masked by the caller. */
  log(line: string): void;
  /** Undefined while there is room in it for more; else resolves when there is again. */
  logRoom?(): Promise<void> | undefined;
}

/** One version for one host. */
export interface HostRelease {
  /** Name of the release's folder, the same whenever this release is meant. */
  readonly releaseDir: string;
  readonly version: string;
  readonly artifact: ReleaseArtifact;
  /** The time that its files have once it is put there. Whole seconds since 1970. */
  readonly filesAt: number;
  readonly settings: HostSettings;
}

/** A tar archive compressed by gzip. */
export interface ReleaseArtifact {
  readonly sha256: string;
  readonly size: number;
  /** Makes a link by which the host fetches it itself, good for a while. Secret. */
  link?(): string;
  open(): Readable;
}

/** What the host is shown before it lets this work in. Refuses paths that could not be meant. */
export function lockOf(work: HostWork, deployPath: string): HostLock {
  if (!/^[A-Za-z0-9._-]+$/.test(work.id))
    throw new VerdictError(`no usable id of work: ${work.id}`);
  return {
    deployPath: checkedPath(deployPath),
    installation: work.installation,
    epoch: work.epoch,
  };
}

/** An absolute path without steps backwards, and not the root itself. */
export function checkedPath(path: string): string {
  const usable =
    path.startsWith('/') && !/[\0-\x1f\x7f]/.test(path) && !/(^|\/)\.\.?(\/|$)/.test(path);
  const trimmed = path.replace(/\/+/g, '/').replace(/\/$/, '');
  if (!usable || trimmed === '') {
    throw new VerdictError(`deploy_path: ${JSON.stringify(path)} is not an absolute path below /`);
  }
  return trimmed;
}

/** Checks the names that become folders on the host. */
export function checkedRelease(release: HostRelease): HostRelease {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/.test(release.releaseDir)) {
    throw new VerdictError(`${JSON.stringify(release.releaseDir)} cannot be a release's folder`);
  }
  if (!/^[0-9a-f]{64}$/.test(release.artifact.sha256)) {
    throw new VerdictError(`${JSON.stringify(release.artifact.sha256)} is not a sha256`);
  }
  if (!Number.isSafeInteger(release.filesAt)) {
    throw new VerdictError(`${release.filesAt} is not a time of whole seconds`);
  }
  for (const path of release.settings.sharedPaths) {
    if (
      path === '' ||
      path.startsWith('/') ||
      /(^|\/)\.{0,2}(\/|$)/.test(path) ||
      /[\0\n]/.test(path)
    ) {
      throw new VerdictError(
        `shared_paths: ${JSON.stringify(path)} is not a path below the release`,
      );
    }
  }
  const problem = sharedPathsProblem(release.settings.sharedPaths);
  if (problem !== undefined) throw new VerdictError(`shared_paths: ${problem}`);
  return release;
}

import { stat } from 'node:fs/promises';
import { poll } from './poll.js';
import { endProcess, isAlive, workingFolder, type EndStep } from './process-table.js';

/**
 * Whether this process is a server of ours that works in its data folder. The pid file of a killed
 * server stays, and its number may be any other process' by now.
 */
export async function worksOn(data: string, pid: number): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  const folder = await workingFolder(pid);
  if (folder !== undefined) return folder === data;
  if (process.platform !== 'linux') return true;
  // Not told to other users, nor to a container's root: our servers run as who owns their data.
  const [its, own] = await Promise.all([
    stat(`/proc/${pid}`).catch(() => undefined),
    stat(data).catch(() => undefined),
  ]);
  return its !== undefined && its.uid === own?.uid;
}

/** Waits for a server; when that fails or is given up, the server is ended. */
export async function orEnd<T>(
  pid: number,
  steps: readonly EndStep[],
  wait: () => Promise<T>,
): Promise<T> {
  try {
    return await wait();
  } catch (error) {
    await endProcess(pid, steps);
    throw error;
  }
}

/** A server that may run still, by what it wrote down. */
export interface FoundServer {
  readonly pid: number;
  /** How errors call it. */
  readonly name: string;
  /** The folder that it works in. */
  readonly data: string;
  /** Whether it has its socket where ours has: one of an earlier Floy listens on a port. */
  readonly isOnSocket: boolean;
  /** True when it does what it is for; undefined when nobody could be reached (yet). */
  answers(): Promise<true | undefined>;
  readonly timeoutMs: number;
  /** Ends the wait and the server. */
  readonly signal: AbortSignal | undefined;
  readonly stopSteps: readonly EndStep[];
}

/**
 * Takes over a server that runs since an earlier process of ours was killed: waits for one that
 * still starts, outlives one that ends, ends one that listens elsewhere. Answers its process id, or
 * undefined when there is none (any more).
 */
export async function adoptServer(found: FoundServer): Promise<number | undefined> {
  const { name, data, pid, timeoutMs, signal } = found;
  if (!(await worksOn(data, pid))) return undefined;
  if (!found.isOnSocket) {
    await endProcess(pid, found.stopSteps);
    return undefined;
  }
  const look = async () => {
    if (await found.answers()) return 'ready' as const;
    return (await isAlive(pid)) ? undefined : ('gone' as const);
  };
  const outcome = await orEnd(pid, found.stopSteps, () => poll(timeoutMs, look, { signal }));
  if (outcome === undefined) {
    throw new Error(`${name} runs on ${data} (process ${pid}) but does not answer`);
  }
  return outcome === 'ready' ? pid : undefined;
}

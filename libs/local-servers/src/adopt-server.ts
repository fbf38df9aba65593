import { stat } from 'node:fs/promises';
import { poll } from './poll.js';
import { endProcess, isAlive, workingFolder, type EndStep } from './process-table.js';

/** A server's process, and the port it listens on at 127.0.0.1. */
export interface ServerAt {
  readonly pid: number;
  readonly port: number;
}

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
export interface FoundServer extends ServerAt {
  /** How errors call it. */
  readonly name: string;
  /** The folder that it works in. */
  readonly data: string;
  /** True when it does what it is for; undefined when nobody could be reached (yet). */
  answers(port: number): Promise<true | undefined>;
  readonly timeoutMs: number;
  /** Ends the wait and the server. */
  readonly signal: AbortSignal | undefined;
  readonly stopSteps: readonly EndStep[];
}

/**
 * Takes over a server that runs since an earlier process of ours was killed: waits for one that
 * still starts, outlives one that ends. Undefined when there is none (any more).
 */
export async function adoptServer(found: FoundServer): Promise<ServerAt | undefined> {
  const { name, data, pid, port, timeoutMs, signal } = found;
  if (!(await worksOn(data, pid))) return undefined;
  const look = async () => {
    if (await found.answers(port)) return 'ready' as const;
    return (await isAlive(pid)) ? undefined : ('gone' as const);
  };
  const outcome = await orEnd(pid, found.stopSteps, () => poll(timeoutMs, look, { signal }));
  if (outcome === undefined) {
    throw new Error(`${name} runs on ${data} (process ${pid}) but does not answer`);
  }
  return outcome === 'ready' ? { pid, port } : undefined;
}

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '@floy/local-servers/free-port';
import { endProcess, isAlive, workingFolder } from '@floy/local-servers/process-table';
import type { Logger } from '@floy/service-kit/logger';

/** One process that is started again whenever it ends. */
export interface KeptProcess {
  readonly name: string;
  /** Whether it says that it is ready. */
  isReady(): Promise<boolean>;
  /** Asks it to stop, waits, and starts it no more. */
  stop(): Promise<void>;
}

/** What to keep running. */
export interface KeepProcess {
  readonly name: string;
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A folder of its own: it works there, which is how it is recognised later. */
  readonly folder: string;
  readonly logger: Logger;
}

const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 25_000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;
const SHORTEST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/**
 * Ends what is left over from a fleet that was killed, also processes that this one starts none of.
 * `folder`, a real path, holds the folders of them all.
 */
export async function endLeftOvers(folder: string, logger: Logger): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(
    names.map(async (name) => {
      const pid = Number(await readFile(join(folder, name, 'pid'), 'utf8').catch(() => ''));
      if (!pid || (await workingFolder(pid)) !== join(folder, name)) return;
      logger.warn({ process: name, pid }, 'Ending a process of a fleet that was killed');
      await endProcess(pid, STOP_STEPS);
    }),
  );
}

/** Starts a process and keeps it. */
export async function keepProcess(kept: KeepProcess): Promise<KeptProcess> {
  const { name, logger } = kept;
  const pidFile = join(kept.folder, 'pid');
  await mkdir(kept.folder, { recursive: true });

  let child: ChildProcess | undefined;
  let opsPort = 0;
  let pause = SHORTEST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;

  async function start(): Promise<void> {
    opsPort = await freePort();
    if (stopping) return;
    const started = spawn(process.execPath, [kept.program], {
      cwd: kept.folder,
      env: { ...kept.env, FLOY_OPS_PORT: String(opsPort) },
      stdio: ['ignore', 'inherit', 'inherit'],
      // Ctrl-C in the terminal is for the fleet, which stops its members in order.
      detached: true,
    });
    child = started;
    const began = performance.now();
    started.once('exit', (code, signal) => {
      if (stopping) return;
      if (performance.now() - began > 10_000) pause = SHORTEST_PAUSE_MS;
      logger.warn({ process: name, code, signal, again_in_ms: pause }, 'A service ended');
      timer = setTimeout(() => void start(), pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    });
    await writeFile(pidFile, String(started.pid));
  }

  await start();
  return {
    name,
    isReady: () =>
      fetch(`http://127.0.0.1:${opsPort}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      ),
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const pid = child?.pid;
      if (pid !== undefined && (await isAlive(pid))) await endProcess(pid, STOP_STEPS);
    },
  };
}

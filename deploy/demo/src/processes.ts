import { readdir, readFile, readlink } from 'node:fs/promises';
import { sep } from 'node:path';
import { endProcess } from '@floy/local-servers/process-table';

/** A variable that all carry that were started by a demo or through its hosts; its folder is the value. */
export const MARK = 'DEMO_OF_FLOY';

const STEPS = [
  { signal: 'SIGTERM', waitMs: 5000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;
const ROUNDS = 5;

/**
 * Ends every process of the demo in this folder, whoever started it and whatever became of that
 * one: services that hosts run in the background, and all that a demo which was killed left. What
 * carries the mark goes first, so that nothing is left that would start more.
 */
export async function endProcessesOf(folder: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = await processesOf(folder);
    if (found.length === 0) return;
    const marked = found.filter(({ kind }) => kind === 'marked');
    const now = marked.length > 0 ? marked : found;
    await Promise.all(now.map(({ pid }) => endProcess(pid, STEPS)));
  }
}

interface Found {
  readonly pid: number;
  readonly kind: 'marked' | 'server';
}

async function processesOf(folder: string): Promise<Found[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const kinds = await Promise.all(
    all.map(async (pid): Promise<Found[]> => {
      if (pid === process.pid) return [];
      const read = (file: string): Promise<string> =>
        readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      if ((await read('environ')).split('\0').includes(`${MARK}=${folder}`)) {
        return [{ pid, kind: 'marked' }];
      }
      const name = (await read('comm')).trim();
      if (name === 'sshd') {
        // Its title holds the words that it was started with.
        const isOurs = (await read('cmdline')).includes(`${folder}${sep}hosts${sep}`);
        return isOurs ? [{ pid, kind: 'server' }] : [];
      }
      if (name !== 'postgres' && name !== 'redis-server') return [];
      const place = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      return place.startsWith(`${folder}${sep}`) ? [{ pid, kind: 'server' }] : [];
    }),
  );
  return kinds.flat();
}

import { readdir, readFile, readlink } from 'node:fs/promises';

/** Ticks in a second, which Linux tells all programs the same. */
const TICKS = 100;

/** How long processors have worked for a process so far, and for its children that have ended. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** The same for several processes. */
export async function processorSecondsOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(processorSeconds));
  return each.reduce((sum, seconds) => sum + seconds, 0);
}

/** The processes that work in this folder or below it: servers of one's own. */
export async function processesBelow(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const at = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      return at.startsWith(`${folder}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

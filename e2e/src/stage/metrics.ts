import type { Fleet } from './fleet.js';

/** The sum of a metric over all living processes of a fleet, and all of its labels. */
export async function sumOf(fleet: Fleet, metric: string): Promise<number> {
  let sum = 0;
  for (const process of fleet.processes.filter(({ pid }) => isAlive(pid))) {
    const text = await (await fetch(`${await process.opsUrl()}/metrics`)).text();
    for (const line of text.split('\n')) {
      if (line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
        sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return sum;
}

/** Whether a process has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bench, BenchRun } from '../bench.js';
import { withinLimit } from '../figure.js';
import { startFloy } from '../floy-process.js';
import { residentMegabytes } from '../resident.js';
import { median } from '../samples.js';

const STARTS = 5;
const IDLE_SECONDS = 20;
const READY = { most: 5, unit: 's' } as const;
const MEMORY = { most: 250, unit: 'MB' } as const;

/**
 * How soon `standalone` is ready, with everything installed, on a data folder that it has to make
 * and on one that is there; and what its process holds when it has nothing to do.
 */
export const benchFootprint: Bench = async (run) => {
  const fresh: number[] = [];
  const again: number[] = [];
  let idle: number[] = [];
  for (let start = 1; start <= STARTS; start += 1) {
    run.say(`Start ${start} of ${STARTS}`);
    const home = join(run.folder, `home-${start}`);
    await mkdir(home);
    fresh.push((await startOnce(run, home)).readySeconds);
    const last = start === STARTS;
    const second = await startOnce(run, home, last ? IDLE_SECONDS : 0);
    again.push(second.readySeconds);
    idle = second.idle;
  }
  const figures = [
    withinLimit('footprint', 'start to ready, new data folder', median(fresh), READY),
    withinLimit('footprint', 'start to ready, existing data folder', median(again), READY),
    withinLimit(
      'footprint',
      `resident while idle, most in ${IDLE_SECONDS} s`,
      Math.max(...idle),
      MEMORY,
    ),
  ];
  const notes = [
    `Node ${process.versions.node}; median of ${STARTS} starts, slowest ${Math.max(...fresh).toFixed(2)} s and ${Math.max(...again).toFixed(2)} s.`,
    `Resident memory every 5 s while idle: ${idle.map((size) => size.toFixed(0)).join(', ')} MB (Node's process alone, without Postgres and Redis).`,
  ];
  return { figures, notes };
};

async function startOnce(run: BenchRun, home: string, idleSeconds = 0) {
  const floy = await startFloy(home);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= floy.stop());
  run.onEnd(stop);
  const idle = [await residentMegabytes(floy.pid)];
  for (let second = 5; second <= idleSeconds; second += 5) {
    await wait(5000);
    idle.push(await residentMegabytes(floy.pid));
  }
  await stop();
  return { readySeconds: floy.readySeconds, idle };
}

import { cpus } from 'node:os';

/** A look at the machine is good for so long. Milliseconds. */
const LOOK_MS = 200;
/** Less than this of its time is none to spare. */
const SPARE = 0.2;

/** Answers whether the machine had processor time to spare since the look before. */
export function createSpareTime(): () => boolean {
  let before = timesOf();
  let lookedAt = performance.now();
  let spare = true;
  return () => {
    const now = performance.now();
    if (now - lookedAt < LOOK_MS) return spare;
    const times = timesOf();
    const passed = times.all - before.all;
    spare = passed > 0 && (times.idle - before.idle) / passed > SPARE;
    before = times;
    lookedAt = now;
    return spare;
  };
}

function timesOf(): { idle: number; all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    for (const time of Object.values(times)) all += time;
  }
  return { idle, all };
}

import { InvalidRequestError } from './errors.js';

/**
 * The sizes of the batches of a release to `count` instances.
 *
 * `size` is a number (`1`), a percentage of the whole release (`"30%"`, rounded down, at least one),
 * or a growing list (`"1,30%,100%"`) of which the last entry is repeated until all have their turn.
 * The model is Ansible's `serial`.
 */
export function batchSizes(count: number, size: string | number): number[] {
  const steps = String(size)
    .split(',')
    .map((step) => batchSize(step.trim(), count));
  const sizes: number[] = [];
  for (let done = 0, index = 0; done < count; index += 1) {
    const step = steps[Math.min(index, steps.length - 1)] ?? 1;
    sizes.push(Math.min(step, count - done));
    done += step;
  }
  return sizes;
}

/** The batch that the instance at `position` (from 0) belongs to. */
export function batchOf(position: number, sizes: readonly number[]): number {
  let end = 0;
  for (const [batch, size] of sizes.entries()) {
    end += size;
    if (position < end) return batch;
  }
  throw new RangeError(`position ${position} is outside batches of ${end} instances`);
}

/** A failure budget, absolute or as percent of the whole release (rounded down). */
export function failureBudget(count: number, budget: string | number): number {
  const text = String(budget).trim();
  const percent = percentOf(text);
  if (percent !== null) return Math.floor((count * percent) / 100);
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidRequestError(`"${text}" is neither a number nor a percentage`);
}

function batchSize(text: string, count: number): number {
  const percent = percentOf(text);
  if (percent !== null) return Math.max(1, Math.floor((count * percent) / 100));
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidRequestError(`"${text}" is neither a number above 0 nor a percentage`);
}

function percentOf(text: string): number | null {
  const match = /^(\d{1,3})%$/.exec(text);
  return match && Number(match[1]) <= 100 ? Number(match[1]) : null;
}

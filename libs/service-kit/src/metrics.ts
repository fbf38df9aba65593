import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The metrics of one process. Labels name kinds of things, never ids: each value is a series. A name
 * asked for again, by another service in the same process, is the same metric.
 */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /** @param buckets upper bounds, in the unit that the name ends with (`_seconds`) */
  histogram<L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
  /**
   * A gauge whose values are asked for each time that Prometheus reads. Where `read` fails or takes
   * longer than a second there are none that time, so that the rest is read all the same.
   */
  sampled<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => readonly Sample<L>[] | Promise<readonly Sample<L>[]>,
  ): void;
  /** The text that Prometheus reads, and its content type. */
  exposition(): Promise<{ text: string; contentType: string }>;
}

/** One value of a sampled gauge. */
export interface Sample<L extends string> {
  readonly labels: Readonly<Record<L, string>>;
  readonly value: number;
}

const SAMPLE_MS = 1000;

/** A registry of its own, with the metrics of the process (memory, CPU, event loop) in it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const once = <M>(name: string, make: () => M): M =>
    (registry.getSingleMetric(name) as M | undefined) ?? make();
  return {
    counter: (name, help, labels = []) =>
      once(name, () => new Counter({ name, help, labelNames: [...labels], registers })),
    gauge: (name, help, labels = []) =>
      once(name, () => new Gauge({ name, help, labelNames: [...labels], registers })),
    histogram: (name, help, buckets, labels = []) =>
      once(name, () => {
        const shape = { name, help, buckets: [...buckets], labelNames: [...labels] };
        return new Histogram({ ...shape, registers });
      }),
    sampled: (name, help, labels, read) => {
      once(name, () => {
        const collect = async (): Promise<void> => {
          const samples = await inTime(read);
          gauge.reset();
          for (const sample of samples) gauge.set(sample.labels, sample.value);
        };
        const gauge = new Gauge({ name, help, labelNames: [...labels], registers, collect });
        return gauge;
      });
    },
    exposition: async () => ({
      text: await registry.metrics(),
      contentType: registry.contentType,
    }),
  };
}

/** What `read` answers, or nothing: a server that is away must not take the other metrics along. */
async function inTime<T>(read: () => readonly T[] | Promise<readonly T[]>): Promise<readonly T[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly T[]>((resolve) => {
    timer = setTimeout(() => resolve([]), SAMPLE_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(read), late]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

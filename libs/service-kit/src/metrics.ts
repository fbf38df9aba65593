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
  /** The text that Prometheus reads, and its content type. */
  exposition(): Promise<{ text: string; contentType: string }>;
}

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
    exposition: async () => ({
      text: await registry.metrics(),
      contentType: registry.contentType,
    }),
  };
}

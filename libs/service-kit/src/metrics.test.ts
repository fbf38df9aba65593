import { describe, expect, it } from '@jest/globals';
import { createMetrics } from './metrics.js';
import { observePool } from './process-metrics.js';

describe('a sampled gauge', () => {
  it('is asked for at each reading', async () => {
    const metrics = createMetrics();
    let depth = 1;
    metrics.sampled('depth', 'How deep', ['queue'], () => [
      { labels: { queue: 'a' }, value: depth },
    ]);
    expect((await metrics.exposition()).text).toContain('depth{queue="a"} 1');
    depth = 2;
    expect((await metrics.exposition()).text).toContain('depth{queue="a"} 2');
  });

  it('has no value of something that is no more', async () => {
    const metrics = createMetrics();
    const samples = [{ labels: { queue: 'a' }, value: 1 }];
    metrics.sampled('depth', 'How deep', ['queue'], () => samples.splice(0));
    expect((await metrics.exposition()).text).toContain('depth{queue="a"} 1');
    expect((await metrics.exposition()).text).not.toContain('depth{');
  });

  it.each([
    ['fails', () => Promise.reject(new Error('away'))],
    ['never answers', () => new Promise<never>(() => undefined)],
  ])('that %s leaves the others readable', async (_name, read) => {
    const metrics = createMetrics();
    metrics.sampled('depth', 'How deep', ['queue'], read);
    metrics.counter('other_total', 'Others').inc();
    const { text } = await metrics.exposition();
    expect(text).toContain('other_total 1');
    expect(text).not.toContain('depth{');
  });

  it('tells of the pool', async () => {
    const metrics = createMetrics();
    const poolDepth = () => ({ inUse: 3, idle: 2, waiting: 7 });
    observePool(metrics, () => ({ shared: { poolDepth } }));
    const { text } = await metrics.exposition();
    expect(text).toContain('floy_pool_connections{pool="shared",state="in_use"} 3');
    expect(text).toContain('floy_pool_connections{pool="shared",state="idle"} 2');
    expect(text).toContain('floy_pool_waiting{pool="shared"} 7');
  });
});

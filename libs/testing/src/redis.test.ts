import { expect, it } from '@jest/globals';
import { needsRedis } from './needs.js';
import { startTestRedis } from './redis.js';

const describeRedis = await needsRedis();

describeRedis('a Redis for tests', () => {
  it('is the test’s own', async () => {
    const [one, other] = await Promise.all([startTestRedis(), startTestRedis()]);
    await one.command('SET', 'key', 'value');
    expect(await one.command('GET', 'key')).toBe('value');
    expect(await other.command('GET', 'key')).toBeNull();
    await one.flush();
    expect(await one.command('GET', 'key')).toBeNull();
    await Promise.all([one.stop(), other.stop()]);
  });
});

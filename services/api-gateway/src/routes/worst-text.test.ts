import { megabyteOf, processMs } from '@floy/testing/worst-text';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bearerToken } from '../authorize.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();
/** Milliseconds; what goes back and forth takes minutes. */
const soon = 5000;
/** A body may be a megabyte. */
const most = 1_000_000;
const ids = Array.from({ length: most / 12 }, (_, at) => `app_${at}`);

describePostgres('one request does not stop the gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  it.each<[string, string, (text: string) => object]>([
    ['/versions', 'tag', (git_tag) => ({ git_tag, git_commit: 'abc1', repository: 'https://h/r' })],
    ['/versions', 'repository', (r) => ({ git_tag: 'v', git_commit: 'abc1', repository: r })],
    ['/applications', 'name', (name) => ({ name, repository: 'https://h/r', type: 't' })],
    [
      '/applications',
      'restart_command',
      (restart_command) => ({
        name: 'a',
        repository: 'https://h/r',
        type: 't',
        config: { restart_command },
      }),
    ],
    ['/deployments', 'ids', () => ({ application_ids: ids, version_id: 'v' })],
    ['/tokens', 'unknown fields', (text) => Object.fromEntries(text.split(' ').entries())],
  ])('POST %s with a megabyte of its worst: %s', async (path, _, body) => {
    for (const piece of ['{{ ', '/', ' ']) {
      const text = megabyteOf(piece).slice(0, piece.includes(' ') ? most / 16 : most);
      const began = processMs();
      const answer = await gateway.send('POST', path, { body: body(text) });
      expect(answer.status).toBeLessThan(500);
      expect(processMs() - began).toBeLessThan(soon);
    }
  });

  it('headers of the largest size, at their worst', async () => {
    const began = processMs();
    expect(() =>
      bearerToken({ headersDistinct: { authorization: [megabyteOf(' ', 'Bearer', '\0')] } }),
    ).toThrow('Send one token');
    const row = ' ;='.repeat(4000);
    for (const name of ['Cookie', 'Authorization', 'Idempotency-Key', 'Last-Event-ID', 'Accept']) {
      await gateway.send('POST', '/versions', { headers: { [name]: `x${row}x` }, body: {} });
      await gateway.send('GET', '/versions', { headers: { [name]: `x${row}x` } });
    }
    expect(processMs() - began).toBeLessThan(soon);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { waitFor } from '@floy/testing/wait-for';

const built = (name: string): string => new URL(`../dist/${name}.js`, import.meta.url).href;
const program = `
import { runService } from ${JSON.stringify(built('run-service'))};
import { settings } from ${JSON.stringify(built('settings'))};
await runService({
  name: 'sample',
  settings: { type: 'object', required: ['FLOY_ADMIN_TOKEN'],
    properties: { FLOY_ADMIN_TOKEN: settings.FLOY_ADMIN_TOKEN } },
  env: process.env,
  async start({ config, logger, shutdown }) {
    logger.info({ token: config.FLOY_ADMIN_TOKEN }, 'starting');
    const mode = process.env.MODE;
    if (mode === 'fail') throw new Error('no luck');
    if (mode === 'give-up' || mode === 'too-late') {
      await new Promise((resolve) => shutdown.addEventListener('abort', resolve));
      if (mode === 'give-up') throw new Error('told to stop');
    }
    if (mode === 'reject') setTimeout(() => Promise.reject(new Error('nobody cares')), 20);
    const timer = setInterval(() => {}, 1000);
    return {
      ready: () => ({ database: { status: 'ok' } }),
      async stop() {
        logger.info({ aborted: shutdown.aborted }, 'stop called');
        if (mode === 'hang') await new Promise(() => {});
        // What leaks must not keep the process.
      },
    };
  },
});
`;
const token = 'a-sentinel-that-nobody-may-see';
let folder: string;
const started: ServiceProcess[] = [];

function start(env: Record<string, string>): ServiceProcess {
  const main = join(folder, 'main.mjs');
  const service = startServiceProcess({ name: 'sample', main, env });
  started.push(service);
  return service;
}
const said = (service: ServiceProcess, message: string): unknown =>
  service.log.find((line) => line['msg'] === message);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floy-run-'));
  await writeFile(join(folder, 'main.mjs'), program);
});
afterAll(async () => {
  for (const service of started) service.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

describe('the life of a process', () => {
  it('starts, is ready, and stops in order on SIGTERM', async () => {
    const service = start({ FLOY_ADMIN_TOKEN: token });
    await service.waitReady();
    const answer = await fetch(`${await service.opsUrl()}/readyz`);
    expect(await answer.json()).toMatchObject({ checks: { database: { status: 'ok' } } });
    expect(await service.stop()).toBe(0);
    expect(said(service, 'stop called')).toMatchObject({ aborted: true });
    expect(JSON.stringify(service.log)).not.toContain(token);
  });

  it('is not ready while it stops, and a second signal ends it at once', async () => {
    const service = start({ FLOY_ADMIN_TOKEN: token, MODE: 'hang' });
    await service.waitReady();
    service.kill('SIGINT');
    await waitFor('the stop', () => said(service, 'stop called'));
    const answer = await fetch(`${await service.opsUrl()}/readyz`);
    expect(answer.status).toBe(503);
    service.kill('SIGINT');
    expect(await service.exited()).toBe(1);
  });

  it.each([
    ['give-up', 'The start was given up', { reason: 'told to stop' }],
    ['too-late', 'stop called', { aborted: true }],
  ])('stops on SIGTERM while it starts (%s)', async (mode, message, details) => {
    const service = start({ FLOY_ADMIN_TOKEN: token, MODE: mode });
    await waitFor('the start', () => said(service, 'starting'));
    expect(await service.stop()).toBe(0);
    expect(said(service, message)).toMatchObject(details);
    expect(said(service, 'Stopped')).toBeDefined();
  });

  it('exits 78 when its settings are wrong, naming them', async () => {
    const service = start({ FLOY_OPS_PORT: 'x' });
    expect(await service.exited()).toBe(78);
    expect(service.log).toMatchObject([
      {
        msg: 'The configuration is wrong: FLOY_ADMIN_TOKEN: must be set; FLOY_OPS_PORT: must be a whole number',
        problems: { FLOY_ADMIN_TOKEN: 'must be set', FLOY_OPS_PORT: 'must be a whole number' },
      },
    ]);
  });

  it('a taken port is one clear line that names the variable and the remedy', async () => {
    const first = start({ FLOY_ADMIN_TOKEN: token });
    const port = new URL(await first.opsUrl()).port;
    const second = start({ FLOY_ADMIN_TOKEN: token, FLOY_OPS_PORT: port });
    expect(await second.exited()).toBe(78);
    expect(second.log.map(({ msg }) => msg)).toEqual([
      `The configuration is wrong: FLOY_OPS_PORT: another program has port ${port} of 127.0.0.1: ` +
        'end that one, or set another port (0 picks a free one)',
    ]);
    const nowhere = start({ FLOY_ADMIN_TOKEN: token, FLOY_OPS_HOST: '192.0.2.1' });
    expect(await nowhere.exited()).toBe(78);
    expect(JSON.stringify(nowhere.log)).toContain('FLOY_OPS_HOST: this machine has no address');
  });

  it.each([
    ['fail', 'The start failed', 'no luck'],
    ['reject', 'A failure that nobody handled', 'nobody cares'],
  ])('exits 1 and says why (%s)', async (mode, message, reason) => {
    const service = start({ FLOY_ADMIN_TOKEN: token, MODE: mode });
    expect(await service.exited()).toBe(1);
    expect(said(service, message)).toMatchObject({ err: { message: reason } });
  });
});

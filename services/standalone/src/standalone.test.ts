import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from '@jest/globals';
import { freePort } from '@floy/local-servers/free-port';
import { isAlive } from '@floy/local-servers/process-table';
import { needsPostgres } from '@floy/testing/needs';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { runFolder } from '@floy/testing/test-run';
import { waitFor } from '@floy/testing/wait-for';

const describePostgres = await needsPostgres();
const built = (name: string): string =>
  fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
const newHome = (): string => join(runFolder(), `home-${randomBytes(6).toString('hex')}`);

const started: ServiceProcess[] = [];
function start(
  program: 'main' | 'fleet',
  env: Record<string, string>,
  words: string[] = [],
): ServiceProcess {
  const service = startServiceProcess({
    name: 'standalone',
    main: built(program),
    env: { FLOY_HOST: '127.0.0.1', FLOY_PORT: '0', ...env },
    words,
  });
  started.push(service);
  return service;
}
afterAll(() => Promise.all(started.map((service) => service.stop())));

const said = (service: ServiceProcess, message: string) =>
  service.log.find((line) => line['msg'] === message);

async function address(home: string): Promise<string> {
  return waitFor(
    'the address',
    async () => (await readFile(join(home, 'address'), 'utf8')).trim(),
    {
      timeoutMs: 30_000,
    },
  );
}

async function listVersions(home: string): Promise<number> {
  const token = (await readFile(join(home, 'admin-token'), 'utf8')).trim();
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${await address(home)}/api/v1/versions`, { headers })).status;
}

describePostgres('Floy on one machine', () => {
  it('brings up what it needs, alone on its folder, and leaves nothing running', async () => {
    const home = newHome();
    const first = start('main', { FLOY_HOME: home });
    await first.waitReady(30_000);
    expect(await listVersions(home)).toBe(200);
    for (const name of ['admin-token', 'encryption-key', 'postgres/password']) {
      const file = join(home, name);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(JSON.stringify(first.log)).not.toContain((await readFile(file, 'utf8')).trim());
    }

    const second = start('main', { FLOY_HOME: home });
    expect(await second.exited()).toBe(78);
    expect(JSON.stringify(second.log)).toContain(`Another Floy (process ${first.pid}) is running`);

    expect(await first.stop()).toBe(0);
    await expect(stat(join(home, 'address'))).rejects.toThrow('ENOENT');
    await expect(stat(join(home, 'postgres/cluster/data/postmaster.pid'))).rejects.toThrow(
      'ENOENT',
    );
  }, 60_000);

  it('stops while it starts, and leaves nothing running', async () => {
    const home = newHome();
    const service = start('main', { FLOY_HOME: home });
    const data = join(home, 'postgres/cluster/data.new');
    await waitFor('Postgres to be made', () => stat(data).then(Boolean));
    expect(await service.stop()).toBe(0);
    expect(said(service, 'The start was given up')).toBeDefined();
    expect(said(service, 'Started')).toBeUndefined();
    const left = spawnSync('pgrep', ['-f', home], { encoding: 'utf8' });
    expect(left.stdout).toBe('');
  }, 30_000);

  it('stops while it waits for a Postgres that is away', async () => {
    const service = startServiceProcess({
      name: 'deployment-manager',
      env: {
        FLOY_DATABASE_URL: `postgres://floy@127.0.0.1:${await freePort()}/floy`,
        FLOY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      },
    });
    started.push(service);
    await service.opsUrl();
    expect(await service.stop()).toBe(0);
    expect(said(service, 'The start was given up')).toBeDefined();
  });

  it('adopts its servers after its own death', async () => {
    const home = newHome();
    const first = start('main', { FLOY_HOME: home });
    await first.waitReady(30_000);
    first.kill('SIGKILL');
    await first.exited();
    const next = start('main', { FLOY_HOME: home });
    await next.waitReady(30_000);
    expect(said(next, 'Postgres runs')).toMatchObject({ adopted: true });
    expect(await listVersions(home)).toBe(200);
    expect(await next.stop()).toBe(0);
  }, 90_000);

  it('starts its Postgres again when that dies', async () => {
    const home = newHome();
    const service = start('main', { FLOY_HOME: home });
    await service.waitReady(30_000);
    const pidFile = join(home, 'postgres/cluster/data/postmaster.pid');
    const pid = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
    process.kill(pid, 'SIGKILL');
    await waitFor('another Postgres', async () => {
      const now = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
      return now !== pid && (await listVersions(home)) === 200;
    });
    expect(await service.stop()).toBe(0);
  }, 60_000);

  it('demands a key beside a database that is not its own', async () => {
    const service = start('main', {
      FLOY_HOME: newHome(),
      FLOY_DATABASE_URL: 'postgres://db/floy',
    });
    expect(await service.exited()).toBe(78);
    expect(service.log.at(-1)?.['msg']).toMatch(
      /^The configuration is wrong: FLOY_ENCRYPTION_KEY:/,
    );
  });
});

describePostgres('a fleet on one machine', () => {
  it('runs each service, starts again what dies, and stops all of it', async () => {
    const home = newHome();
    const killed = start('fleet', { FLOY_HOME: home }, ['workflow-manager=2']);
    await killed.waitReady(60_000);
    const second = Number(await readFile(join(home, 'fleet/workflow-manager-2/pid'), 'utf8'));
    killed.kill('SIGKILL');
    await waitFor('its death', async () => !(await isAlive(killed.pid)));

    const fleet = start('fleet', { FLOY_HOME: home });
    await fleet.waitReady(60_000);
    expect(await listVersions(home)).toBe(200);
    // Nothing of the fleet before is left, also what this one has none of.
    expect(await isAlive(second)).toBe(false);
    const pidFile = join(home, 'fleet/workflow-manager/pid');
    const pid = Number(await readFile(pidFile, 'utf8'));
    process.kill(pid, 'SIGKILL');
    await waitFor('another process', async () => Number(await readFile(pidFile, 'utf8')) !== pid);
    await fleet.waitReady(30_000);

    const gateway = Number(await readFile(join(home, 'fleet/api-gateway/pid'), 'utf8'));
    expect(await fleet.stop()).toBe(0);
    expect(() => process.kill(gateway, 0)).toThrow('ESRCH');
  }, 120_000);
});

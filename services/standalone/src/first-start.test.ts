import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { runFolder } from '@floy/testing/test-run';

const describePostgres = await needsPostgres();
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Where `startServiceProcess` starts programs. */
const clone = fileURLToPath(new URL('../../../', import.meta.url));
const newHome = (): string => join(runFolder(), `home-${randomBytes(6).toString('hex')}`);

const started: ServiceProcess[] = [];
function start(env: Record<string, string>): ServiceProcess {
  const service = startServiceProcess({ name: 'standalone', main, env });
  started.push(service);
  return service;
}
afterAll(() => Promise.all(started.map((service) => service.stop())));

/** The messages of its log: nobody reads more of it in a hurry. */
const messages = (service: ServiceProcess) => service.log.map(({ msg }) => String(msg));

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => resolve(true));
    socket.once('connect', () => socket.destroy());
  });
}

describePostgres('somebody who starts Floy for the first time', () => {
  it('finds it closed to the network, and told by whole paths and clear lines', async () => {
    const home = newHome();
    // The name of a folder in FLOY_HOME is one beside whoever started it, who may be elsewhere.
    const first = start({ FLOY_HOME: relative(clone, home), FLOY_PORT: '0' });
    await first.waitReady(60_000);
    const address = new URL((await readFile(join(home, 'address'), 'utf8')).trim());
    expect(await isOpen('127.0.0.1', Number(address.port))).toBe(true);
    // Whoever listens on every address has this one too.
    expect(await isOpen('127.0.0.2', Number(address.port))).toBe(false);
    expect(messages(first)).toContain(`The admin token is in ${join(home, 'admin-token')}`);

    const second = start({ FLOY_HOME: newHome(), FLOY_PORT: address.port });
    expect(await second.exited()).toBe(78);
    expect(messages(second).slice(1)).toEqual([
      `The configuration is wrong: FLOY_PORT: another program has port ${address.port} of ` +
        '127.0.0.1: end that one, or set another port (0 picks a free one)',
    ]);
  }, 90_000);

  it('is told in one line what is wrong with FLOY_HOME', async () => {
    const inTheWay = newHome();
    await writeFile(inTheWay, '');
    const open = newHome();
    await mkdir(open);
    await chmod(open, 0o777);
    const lost = newHome();
    await mkdir(lost, { mode: 0o711 });
    await writeFile(join(lost, 'encryption-key'), 'not a key\n', { mode: 0o600 });
    const cases = [
      [inTheWay, 'a file stands where the folder should be'],
      [join(inTheWay, 'below'), 'a file stands where the folder, or one above it, should be'],
      [open, `everybody may write to ${open}: set FLOY_HOME to a folder of Floy's own`],
      [lost, `${join(lost, 'encryption-key')} holds no key of 32 bytes in base64: bring`],
    ] as const;
    for (const [home, reason] of cases) {
      const service = start({ FLOY_HOME: home, FLOY_PORT: '0' });
      expect(await service.exited()).toBe(78);
      const last = messages(service).slice(1);
      expect(last).toEqual([expect.stringMatching(/^The configuration is wrong: FLOY_HOME: /)]);
      expect(last[0]).toContain(reason);
      expect(last[0]).not.toContain('\n');
    }
  }, 60_000);
});

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@floy/local-servers/free-port';
import { needsSshd } from '@floy/testing/needs';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../../', import.meta.url));
const describeHere = await needsSshd();

/** The blocks of a README that are for a shell, below each of its headings. */
function blocksOf(file: string): Map<string, string[]> {
  const sections = readFileSync(join(root, file), 'utf8').split(/^## /m);
  return new Map(
    sections.map((section) => {
      const [heading = ''] = section.split('\n');
      const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
      return [heading, blocks.map(([, block = '']) => block)];
    }),
  );
}
const english = blocksOf('README.md');

describe('the README in another language', () => {
  // Comments are translated, and spaces before them fit their length.
  const commandsOf = (blocks: Map<string, string[]>) =>
    [...blocks.values()].flat().map((block) => block.replaceAll(/ *# .*$/gm, ''));

  it('has the same commands', () => {
    expect(commandsOf(blocksOf('README.zh-CN.md'))).toEqual(commandsOf(english));
  });
});

describeHere('the README, pasted as it stands by somebody who starts from an empty folder', () => {
  let folder: string;
  let home: string;
  let service: ServiceProcess | undefined;
  const ports = new Map<string, number>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-readme-'));
    // Where root starts it, Postgres is another user, who has to get to the data folder.
    await chmod(folder, 0o755);
    home = join(folder, 'data');
    await mkdir(join(folder, 'home'));
    // Others on this machine may have the ports that the README names.
    for (const port of ['2222', '18080']) ports.set(port, await freePort());
    await start();
  }, 90_000);
  afterAll(async () => {
    await service?.stop();
    const pids = ['host/pid', 'srv/hello/shared/pid'].map((name) => `home/floy-try/${name}`);
    for (const name of pids) {
      const pid = Number(await readFile(join(folder, name), 'utf8').catch(() => '0'));
      if (pid > 0) process.kill(pid, 'SIGKILL');
    }
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  async function start(): Promise<void> {
    const env = { FLOY_HOME: home, FLOY_PORT: '0' };
    service = startServiceProcess({ name: 'standalone', env });
    await service.waitReady(60_000);
  }

  /** Pastes the blocks below a heading into a shell that ends where one of them fails. */
  async function paste(headings: readonly string[], before = ''): Promise<string> {
    const blocks = headings.flatMap((heading) => english.get(heading) ?? []);
    expect(blocks.length).toBeGreaterThan(0);
    let script = `set -e\n${before}\n${blocks.join('\n')}`;
    for (const [port, free] of ports) script = script.replaceAll(port, String(free));
    const shell = spawn('bash', ['-c', script], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: join(folder, 'home'), FLOY_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [shell.stdout, shell.stderr])
      stream.on('data', (text: Buffer) => (said += text.toString('utf8')));
    // What it started in the background, and does not end with it, may hold its output.
    const [code] = (await once(shell, 'exit')) as [number | null];
    expect({ code, said: code === 0 ? '' : said }).toEqual({ code: 0, said: '' });
    return said;
  }

  it('works to the end: a service is deployed, a broken version goes back, all is removed', async () => {
    const said = await paste(['From an empty folder to a running service']);
    expect(said.match(/^hello from .*$/gm)).toEqual(['hello from v1.0.0', 'hello from v1.0.0']);
    expect(said).toMatch(/^event: deployment\.success$/m);
    expect(said).toMatch(/"status":"rolled_back"/);
    expect(said).not.toContain('"unknown_keys":["');
  }, 120_000);

  it('brings a backup back', async () => {
    expect(await service?.stop()).toBe(0);
    await paste(['Back up', 'Restore']);
    const env = { ...process.env, FLOY_HOME: home };
    const words = ['run', '--silent', 'audit', '--', 'verify'];
    const { stdout } = spawnSync('npm', words, { cwd: root, env, encoding: 'utf8' });
    expect(stdout).toContain('The audit is as it was written');
    await start();
    const [calls = ''] = english.get('From an empty folder to a running service') ?? [];
    const list = spawnSync('bash', ['-c', `${calls}\ncall $FLOY/deployments`], {
      env: { PATH: process.env['PATH'], FLOY_HOME: home },
      encoding: 'utf8',
    });
    expect(JSON.parse(list.stdout)).toMatchObject({ total: 2 });
  }, 120_000);
});

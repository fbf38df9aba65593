import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsSshd } from '@floy/testing/needs';
import { runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';

const describeHere = await needsSshd();

const sha256Of = (bytes: Buffer = Buffer.alloc(0)): string =>
  createHash('sha256').update(bytes).digest('hex');

describeHere('packages that were built elsewhere', () => {
  const ends: (() => unknown)[] = [];
  const packages = new Map<string, Buffer>();
  const artifacts = new Set<string>();
  let asked: string[] = [];
  let stage: Stage;
  let origin: string;
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'floy-packages-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    execFileSync(
      'openssl',
      // prettier-ignore
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout', key, '-out', certificate],
      { stdio: 'pipe' },
    );
    const tls = { key: await readFile(key), cert: await readFile(certificate) };
    const server = createServer(tls, (request, response) => {
      asked.push(request.url ?? '');
      const found = packages.get(request.url ?? '');
      response.writeHead(found ? 200 : 404).end(found);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    ends.push(() => new Promise((done) => server.close(done)));
    const { port } = server.address() as AddressInfo;
    origin = `https://localhost:${port}`;
    stage = await setStage({
      queue: 'redis',
      hosts: 1,
      tags: ['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.3.0', 'v1.4.0'],
      env: { NODE_EXTRA_CA_CERTS: certificate, FLOY_PACKAGE_HOSTS: 'localhost' },
      applicationConfig: {
        build_command: undefined,
        artifact_path: undefined,
        package_url: `${origin}/{{application}}/{{version}}.tar.gz`,
      },
    });
    ends.push(stage.stop);
    for (const tag of ['v1.0.0', 'v1.1.0', 'v1.4.0'])
      packages.set(`/api/${tag}.tar.gz`, await pack(folder, tag));
    packages.set('/api/v1.3.0.tar.gz', gzipSync('no archive at all'.repeat(100)));
  }, 60_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, 30_000);

  async function deployed(tag: string) {
    asked = [];
    const { id } = await stage.deploy(tag);
    const { status, error_message } = await stage.settled(id);
    const { tasks } = await stage.fleet.client.listTasks({ deployment_id: id, type: 'build' });
    return { status, error_message, result: JSON.parse(tasks[0]?.result ?? '{}') as object };
  }

  it('are fetched instead of built, each version its own, and rolled out', async () => {
    for (const tag of ['v1.0.0', 'v1.1.0']) {
      const path = `/api/${tag}.tar.gz`;
      const { status, result } = await deployed(tag);
      expect({ status, asked }).toEqual({ status: 'success', asked: [path] });
      const { sha256 } = result as { sha256: string };
      // Floy ships an archive of its own with the same contents.
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(sha256).not.toBe(sha256Of(packages.get(path)));
      expect(result).toMatchObject({ artifact_url: `/api/v1/artifacts/${sha256}` });
      artifacts.add(sha256);
      expect(await Promise.all(stage.places().map(runningOn))).toEqual([tag]);
    }
  }, 60_000);

  it('can be downloaded by who may deploy', async () => {
    const [sha256 = ''] = artifacts;
    const { url, token } = stage.fleet.access;
    const get = (sha256: string, as: string) =>
      fetch(`${url}/api/v1/artifacts/${sha256}`, { headers: { Authorization: `Bearer ${as}` } });
    const answer = await get(sha256, token);
    expect(answer.headers.get('content-type')).toBe('application/gzip');
    expect(sha256Of(Buffer.from(await answer.arrayBuffer()))).toBe(sha256);
    expect((await get('a'.repeat(64), token)).status).toBe(404);
    const viewer = await stage.fleet.client.createToken({
      ...{ name: 'viewer', owner: 'viewer', role: 'viewer' },
    });
    expect((await get(sha256, viewer.token)).status).toBe(403);
    const forged = `expires=${2 ** 32}&signature=${'0'.repeat(64)}`;
    const linked = await fetch(`${url}/api/v1/downloads/${sha256}?${forged}`);
    expect(linked.status).toBe(403);
  });

  it('are fetched by the host itself where it is told to', async () => {
    const { client } = stage.fleet;
    const { config } = await client.getEnvironment(stage.environmentId);
    const pulling = { ...config, transfer: 'pull' };
    await client.updateEnvironment(stage.environmentId, { config: pulling });
    expect(await deployed('v1.4.0')).toMatchObject({ status: 'success' });
    expect(await Promise.all(stage.places().map(runningOn))).toEqual(['v1.4.0']);
    const { tasks } = await client.listTasks({ type: 'deploy' });
    const log = await client.getTaskLogs(tasks[0]?.id ?? '');
    expect(log.lines.map(({ text }) => text).join('')).not.toContain('Sending');
    await client.updateEnvironment(stage.environmentId, { config });
  }, 60_000);

  it('that are missing, are no archives or come from a private address fail', async () => {
    expect(await deployed('v1.2.0')).toMatchObject({
      status: 'failed',
      error_message: expect.stringContaining('answered 404'),
    });
    expect(await deployed('v1.3.0')).toMatchObject({
      status: 'failed',
      error_message: expect.stringMatching(/archive/i),
    });
    const { client } = stage.fleet;
    const application = stage.applicationIds.get('api') ?? '';
    const config = { package_url: `${origin.replace('localhost', '127.1')}/api/v1.0.0.tar.gz` };
    await client.updateApplication(application, { config });
    expect(await deployed('v1.0.0')).toMatchObject({
      status: 'failed',
      error_message: expect.stringContaining('127.0.0.1, which is no public address'),
    });
    expect(asked).toEqual([]);
  }, 60_000);
});

/** A tar.gz with the one file that the stage's commands look at. */
async function pack(folder: string, version: string): Promise<Buffer> {
  const file = join(folder, 'package.tar.gz');
  const script = 'cd "$0" && echo "$1" >version && tar -czf package.tar.gz version';
  execFileSync('sh', ['-c', script, folder, version]);
  return readFile(file);
}

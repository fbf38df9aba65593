import { findPrograms } from '@floy/local-servers/find-program';
import { needsFileServers, needsRoot, needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type HostFixture, startHostFixture, textOf } from '../../testing/host-fixture.js';
import type { HostRelease } from './host-work.js';
import { stageHost } from './stage-host.js';
import { switchHost } from './switch-host.js';

/** The user that applications run as. */
const APP = 65534;
const both = [await needsSshd(), await needsFileServers()];
const describeHere = both.includes(describe.skip) ? describe.skip : describe;
const describeAsRoot = (await needsRoot()) === describe ? describeHere : describe.skip;

let fixture: HostFixture;
beforeAll(async () => {
  fixture = await startHostFixture({ hosts: 2 });
  await chmod(fixture.folder, 0o755);
});
afterAll(() => fixture.stop());

const released = async (release: HostRelease, index = 0): Promise<void> => {
  await stageHost(fixture.hosts, fixture.work({ index }), release);
  await switchHost(fixture.hosts, fixture.work({ index }), release, { runPreSwitch: true });
};
/** A page of two versions that have the same size; archives date them alike, as Floy's own do. */
const pages = async (deployPath: string): Promise<[HostRelease, HostRelease]> => [
  await fixture.release(deployPath, { version: 'v1', files: { 'index.html': 'one', 'a/b': '1' } }),
  await fixture.release(deployPath, { version: 'v2', files: { 'index.html': 'two', 'a/b': '2' } }),
];
const timeOf = async (...path: string[]): Promise<number> =>
  (await stat(join(...path))).mtimeMs / 1000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Serves a folder as people do; `httpServer` compares dates, `nginx` dates and sizes. */
const servers = {
  httpServer: async (folder: string, port: number): Promise<ChildProcess> =>
    spawn(
      'python3',
      ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', folder],
      { stdio: 'ignore' },
    ),
  async nginx(folder: string, port: number): Promise<ChildProcess> {
    const own = join(fixture.folder, `nginx-${port}`);
    await mkdir(own);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${own}/${name};`)
      .join(' ');
    const config = `daemon off; master_process off; pid ${own}/pid; error_log ${own}/error;
      events {} http { access_log off; ${temporary}
      server { listen 127.0.0.1:${port}; root "${folder}"; } }`;
    await writeFile(join(own, 'conf'), config);
    const [program = 'nginx'] = findPrograms('nginx', '');
    return spawn(program, ['-c', join(own, 'conf'), '-e', join(own, 'error')], {
      stdio: 'ignore',
    });
  },
};

/** A browser that has kept the page: what it shows after it has asked whether that is still right. */
function visitor(url: string) {
  let kept = { text: '', headers: {} as Record<string, string> };
  return async (): Promise<string> => {
    const answer = await fetch(url, { headers: kept.headers });
    if (answer.status === 304) return kept.text;
    const modified = answer.headers.get('last-modified');
    const etag = answer.headers.get('etag');
    kept = {
      text: await answer.text(),
      headers: {
        ...(modified === null ? {} : { 'if-modified-since': modified }),
        ...(etag === null ? {} : { 'if-none-match': etag }),
      },
    };
    return kept.text;
  };
}

describeHere('visitors of a site behind', () => {
  it.each(['httpServer', 'nginx'] as const)(
    '%s see the new page after a release, and the old one after it was taken back',
    async (name) => {
      const deployPath = fixture.deployPath().replaceAll(/[ ']/g, '-');
      const [one, two] = await pages(deployPath);
      await released(one);
      const port = await freePort();
      const server = await servers[name](join(deployPath, 'current'), port);
      const visit = visitor(`http://127.0.0.1:${port}/index.html`);
      try {
        await waitFor('the file server', () => visit().catch(() => undefined));
        expect(await visit()).toBe('one');
        await released(two);
        expect(await visit()).toBe('two');
        await released({ ...one, filesAt: two.filesAt + 1 });
        expect(await visit()).toBe('one');
      } finally {
        const ended = once(server, 'exit');
        server.kill();
        await ended;
      }
    },
  );
});

describeHere('the files of a release', () => {
  it('have one time on all hosts, later than that of what was there, also when they are used again', async () => {
    const files = ['index.html', 'a/b'];
    for (const index of [0, 1]) {
      const deployPath = fixture.deployPath(index);
      const [one, two] = await pages(deployPath);
      const at = { one: 1_800_000_000, two: 1_800_000_001, back: 1_800_000_007 };
      await released({ ...one, filesAt: at.one }, index);
      await released({ ...two, filesAt: at.two }, index);
      await released({ ...one, filesAt: at.back }, index);
      for (const [release, time] of [
        [one, at.back],
        [two, at.two],
      ] as const) {
        const folder = join(deployPath, 'releases', release.releaseDir);
        for (const file of files) expect(await timeOf(folder, file)).toBe(time);
      }
      expect(await textOf(deployPath, '.floy/made', one.releaseDir)).toBe(
        `${one.artifact.sha256} v1\n${at.back}\n`,
      );
    }
  });

  it('with a broken link among them come back all the same', async () => {
    const deployPath = fixture.deployPath();
    const [one, two] = await pages(deployPath);
    await released(one);
    await released(two);
    await symlink('/nowhere', join(deployPath, 'releases', one.releaseDir, 'broken'));
    await released({ ...one, filesAt: two.filesAt + 1 });
    expect(await readFile(join(deployPath, 'current', 'index.html'), 'utf8')).toBe('one');
  });
});

describeAsRoot('an application that owns its release', () => {
  it('has nothing outside of it dated by the links that it puts there', async () => {
    const deployPath = fixture.deployPath();
    const [one, two] = await pages(deployPath);
    await released(one);
    await released(two);
    const outside = join(fixture.folder, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'b'), 'not theirs');
    await utimes(join(outside, 'b'), 1000, 1000);
    const folder = join(deployPath, 'releases', one.releaseDir);
    execFileSync('chown', ['-R', `${APP}:${APP}`, folder]);
    const plant = `ln -s '${outside}' linked; ln -s '${outside}/b' file; mkdir .deep; echo x >.deep/y`;
    execFileSync('sh', ['-c', plant], { cwd: folder, uid: APP, gid: APP });
    const time = two.filesAt + 1;
    await released({ ...one, filesAt: time });
    expect(await timeOf(outside, 'b')).toBe(1000);
    for (const file of ['index.html', 'a/b', '.deep/y'])
      expect(await timeOf(folder, file)).toBe(time);
  });
});

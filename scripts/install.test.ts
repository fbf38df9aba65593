import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const scripts = fileURLToPath(new URL('.', import.meta.url));
const here = { os: [process.platform], cpu: [process.arch] };
const elsewhere = { os: ['plan9'], cpu: ['mips'] };
const LOCKED = {
  '': { name: 'root' },
  'libs/one': { version: '0.1.0' },
  'node_modules/@floy/one': { resolved: 'libs/one', link: true },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/a-here': { version: '1.0.0', integrity: 'sha512-b', optional: true, ...here },
  'node_modules/a-mips': { version: '1.0.0', integrity: 'sha512-c', optional: true, ...elsewhere },
  'node_modules/a-wasm': { version: '1.0.0', integrity: 'sha512-d', optional: true },
};
const WITHOUT_PLATFORM = {
  'libs/one': LOCKED['libs/one'],
  'node_modules/@floy/one': LOCKED['node_modules/@floy/one'],
  'node_modules/a': LOCKED['node_modules/a'],
};
const INSTALLED = { ...WITHOUT_PLATFORM, 'node_modules/a-here': LOCKED['node_modules/a-here'] };

/** A clone whose npm writes down that it was called, and that it installed everything. */
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-install-'));
  await mkdir(join(root, 'scripts'));
  for (const name of ['install.mjs', 'installed.mjs']) {
    await copyFile(join(scripts, name), join(root, 'scripts', name));
  }
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: LOCKED }));
  await writeFile(
    join(root, 'npm.js'),
    `const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
     appendFileSync('calls', process.argv[2] + ' ');
     mkdirSync('node_modules', { recursive: true });
     writeFileSync('node_modules/.package-lock.json', '${JSON.stringify({ packages: INSTALLED })}');`,
  );
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function npmWrote(packages: object): Promise<void> {
  await mkdir(join(root, 'node_modules'), { recursive: true });
  await writeFile(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages }));
}

/** Runs the script `times` times and answers the words that npm was called with. */
async function callsOfNpm(times = 2): Promise<string> {
  for (let run = 0; run < times; run += 1) {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/install.mjs')], {
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, npm_execpath: join(root, 'npm.js') },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  }
  return readFile(join(root, 'calls'), 'utf8').catch(() => '');
}

describe('the script that installs', () => {
  it('is not kept waiting by who takes a name that says which clone it is', async () => {
    const mark = createHash('sha256').update(root).digest('hex').slice(0, 16);
    const name = `floy-install-${mark}`;
    const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
    const thief = createServer().listen(path);
    await once(thief, 'listening');
    expect(await callsOfNpm()).toBe('install ');
    thief.close();
  });

  it('has two that are started at once install once', async () => {
    await writeFile(
      join(root, 'slow.js'),
      `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); require('./npm.js');`,
    );
    const env = { ...process.env, npm_execpath: join(root, 'slow.js') };
    const start = () => spawn(process.execPath, [join(root, 'scripts/install.mjs')], { env });
    const ends = [start(), start()].map(async (child) => once(child, 'close'));
    expect(await Promise.all(ends)).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(await callsOfNpm(0)).toBe('install ');
  });

  it('installs into a fresh clone, once', async () => {
    expect(await callsOfNpm()).toBe('install ');
  });

  it('installs nothing where npm ci or npm install has', async () => {
    await npmWrote(INSTALLED);
    expect(await callsOfNpm()).toBe('');
  });

  it.each([
    ['the package of this platform is missing', WITHOUT_PLATFORM],
    [
      'the content of a package is another',
      { ...INSTALLED, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } },
    ],
    ['a package of ours is not linked', { ...INSTALLED, 'node_modules/@floy/one': undefined }],
    ['a version is another', { ...INSTALLED, 'node_modules/a': { version: '1.0.1' } }],
    ['something is there that the lock does not name', { ...INSTALLED, 'node_modules/b': {} }],
  ])('installs where %s', async (_name, packages) => {
    await npmWrote(packages);
    expect(await callsOfNpm()).toBe('install ');
  });

  it('installs again when npm was used for something else since', async () => {
    await callsOfNpm();
    await npmWrote({ ...INSTALLED, 'node_modules/b': { version: '1.0.0' } });
    expect(await callsOfNpm()).toBe('install install ');
  });

  it('calls npm once where a package for this platform cannot be had', async () => {
    await rm(join(root, 'npm.js'));
    await writeFile(
      join(root, 'npm.js'),
      `require('node:fs').mkdirSync('node_modules', { recursive: true });
       require('node:fs').appendFileSync('calls', 'install ');`,
    );
    expect(await callsOfNpm()).toBe('install ');
  });
});

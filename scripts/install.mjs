// Makes a clone ready to run: installs what package-lock.json names unless that is there already,
// by `npm ci` or otherwise, and with --build builds when a source has changed. Needs Node and npm
// only.
// With nothing to do it takes a fraction of a second, so every npm script begins with it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { differences } from './installed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const installStamp = join(modules, '.floy-installed');
const buildStamp = join(modules, '.floy-built');
const OLDEST_NODE = [20, 19];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  console.error(
    `Floy needs Node ${OLDEST_NODE.join('.')} or later, this is ${process.versions.node}`,
  );
  process.exit(1);
}
if (!isInstalled()) await alone(install);
if (process.argv.includes('--build') && isUnbuilt()) await alone(buildChanges);

async function buildChanges() {
  if (!isUnbuilt()) return;
  const { build } = await import('./build.mjs');
  // Taken before: what is changed during the build is built by the next.
  const state = sourceState();
  const status = build();
  if (status !== 0) process.exit(status);
  writeFileSync(buildStamp, state);
}

function isUnbuilt() {
  const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  const isMissing = ({ path }) =>
    existsSync(join(root, path, 'src')) && !existsSync(join(root, path, 'dist/.tsbuildinfo'));
  return references.some(isMissing) || isStale(buildStamp, sourceState());
}

function isStale(stamp, state) {
  return !existsSync(stamp) || readFileSync(stamp, 'utf8') !== state;
}

/** What npm wrote since the stamp is read once; the stamp answers from then on. */
function isInstalled() {
  if (!isStale(installStamp, installState())) return true;
  if (differences(root).length > 0) return false;
  writeFileSync(installStamp, installState());
  return true;
}

function install() {
  if (isInstalled()) return;
  console.error('Installing…');
  const began = Date.now();
  // Takes the versions of the lock file and leaves it alone. Not `npm ci`: that begins by removing
  // everything, under the feet of what runs from this clone, and takes as long each time; and it
  // refuses the part of the workspace that an image is built from.
  const words = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const { status } = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...words], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', words, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(installStamp, installState());
  console.error(`Installed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** The lock file, and what npm last wrote of its own doing. */
function installState() {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  const written = join(modules, '.package-lock.json');
  if (existsSync(written)) hash.update(readFileSync(written));
  return `${hash.digest('hex')} ${process.platform} ${process.arch}\n`;
}

/** Names, sizes and times of everything a build depends on. */
function sourceState() {
  const hash = createHash('sha256').update(installState());
  const files = ['tsconfig.json', 'tsconfig.base.json'].map((name) => join(root, name));
  for (const group of ['libs', 'services', 'deploy', 'e2e', 'bench']) {
    files.push(...sourcesIn(join(root, group)));
  }
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return `${hash.digest('hex')}\n`;
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name === 'dist' || entry.name === 'node_modules') return [];
    if (entry.isDirectory()) return sourcesIn(path);
    return /\.(tsx?|mjs|json)$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

/**
 * Two npm scripts started at once in a fresh clone must not install into each other's feet. The lock is
 * the kernel's, on a file that other users cannot open: they could keep a name from us for ever. It is
 * free however its holder ends.
 */
async function alone(work) {
  mkdirSync(modules, { recursive: true });
  const onLinux = process.platform === 'linux';
  const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
  // Elsewhere `open` itself locks (O_EXLOCK).
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | (onLinux ? 0 : 0x20);
  const lock = openSync(join(modules, '.floy-lock'), flags, 0o600);
  if (onLinux) waitForLock(lock);
  await work();
  closeSync(lock);
}

/** The program locks the open file that it inherits, which is ours. */
function waitForLock(lock) {
  const { error, status } = spawnSync('flock', ['-x', '3'], {
    stdio: ['ignore', 'ignore', 'inherit', lock],
  });
  if (status === 0) return;
  console.error(error ? 'The program flock is needed: install util-linux' : `flock: ${status}`);
  process.exit(1);
}

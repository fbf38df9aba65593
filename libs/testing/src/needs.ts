import { describe } from '@jest/globals';
import { findPrograms } from '@floy/local-servers/find-program';
import { postgresSource } from './postgres-source.js';
import { redisSource } from './redis-source.js';
import { report } from './test-run.js';

/** `describe`, or `describe.skip` where this machine lacks what the tests need. */
export type Describe = typeof describe | typeof describe.skip;

/**
 * For tests that need something of the machine: leaves them out where it is missing, and has the
 * end of the run say so. With FLOY_TEST_REQUIRE_ALL=1 the run fails then.
 *
 *     const describeHere = await needs('sshd', found, 'install openssh-server');
 *     describeHere('a release to hosts', () => …);
 *
 * @param found what was found, shown at the end of the run; undefined when there is nothing
 * @param enable what the reader can do to have these tests run
 */
export async function needs(
  kind: string,
  found: string | undefined,
  enable: string,
): Promise<Describe> {
  if (found !== undefined) {
    await report({ kind, source: found });
    return describe;
  }
  await report({ kind, leftOut: 'nothing was found to run them on', enable });
  return describe.skip;
}

/** For tests on Postgres. */
export async function needsPostgres(): Promise<Describe> {
  return needs(
    'postgres',
    (await postgresSource())?.name,
    'set FLOY_TEST_DATABASE_URL, or use a platform with an embedded Postgres, or start Docker',
  );
}

/** For tests on Redis. */
export async function needsRedis(): Promise<Describe> {
  return needs(
    'redis',
    (await redisSource())?.name,
    'install redis-server (6.2 or later), or set FLOY_TEST_REDIS_URL, or start Docker',
  );
}

/** For tests on real SSH servers. */
export async function needsSshd(): Promise<Describe> {
  const [sshd] = findPrograms('sshd', process.env['PATH'] ?? '');
  return needs('sshd', sshd, 'install openssh-server (it need not be started)');
}

/** For tests that look at pages, with the browser that was found. */
export async function needsChromium(): Promise<{ describe: Describe; program: string }> {
  const path = process.env['PATH'] ?? '';
  const [found] = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) =>
    findPrograms(name, path),
  );
  const how = 'install chromium, or put chromium-browser or google-chrome on the PATH';
  return { describe: await needs('chromium', found, how), program: found ?? '' };
}

/** For tests of what visitors of file servers see. */
export async function needsFileServers(): Promise<Describe> {
  const path = process.env['PATH'] ?? '';
  const found = ['nginx', 'python3'].map((name) => findPrograms(name, path)[0]);
  const both = found.includes(undefined) ? undefined : found.join(' and ');
  return needs('file servers', both, 'install nginx-light and python3 (nginx need not be started)');
}

/** For tests that act as several users. */
export async function needsRoot(): Promise<Describe> {
  const isRoot = process.getuid?.() === 0;
  return needs('root', isRoot ? 'the user that runs them' : undefined, 'run the tests as root');
}

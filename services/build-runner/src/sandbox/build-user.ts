import { ConfigError } from '@floy/service-kit/config';
import { readFile } from 'node:fs/promises';

/** The user of the system that one build runs as. Its group has the same number. */
export interface BuildUser {
  readonly uid: number;
  readonly gid: number;
}

/** Numbers of users that nothing but builds has, both ends included. */
export interface UserRange {
  readonly first: number;
  readonly last: number;
}

/** How the build user is called, whatever its number: `ssh` refuses a user without a name. */
export const BUILD_USER_NAME = 'floy-build';

/** The largest number that all file systems and tools take. */
const LARGEST_UID = 2_147_483_646;

/** Reads `FLOY_BUILD_USERS`, `first-last`. Throws `ConfigError` saying what it should be. */
export function parseBuildUsers(text: string): UserRange {
  const [, first = '', last = ''] = /^(\d{1,10})-(\d{1,10})$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  if (last === '' || range.first < 1000 || range.last > LARGEST_UID || range.last < range.first) {
    throw wrong(
      `${JSON.stringify(text)} is not two numbers of users between 1000 and ${LARGEST_UID}, like ` +
        '2100000000-2100004095',
    );
  }
  return range;
}

/**
 * Throws `ConfigError` when a number of the range belongs to somebody already: to a user or group of
 * the machine, to the containers of one, or when this container has no such numbers.
 */
export async function checkBuildUsers(range: UserRange): Promise<void> {
  for (const file of ['/etc/passwd', '/etc/group']) {
    const taken = (await fieldsOf(file)).find(
      // An image of a machine may give them names for builds that cannot be given a list of their own.
      ([name = '', , id]) => isWithin(range, Number(id), 1) && !name.startsWith(BUILD_USER_NAME),
    );
    if (taken) throw inUse(`${file} gives ${taken[2]} to ${taken[0]}`);
  }
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const taken = (await fieldsOf(file)).find(([, first, count]) =>
      isWithin(range, Number(first), Number(count)),
    );
    if (taken) {
      throw inUse(`${file} gives ${taken[2]} numbers from ${taken[1]} on to ${taken[0]}`);
    }
  }
  for (const file of ['/proc/self/uid_map', '/proc/self/gid_map']) {
    const lines = (await textOf(file)).split('\n').filter((line) => line.trim() !== '');
    const mapped = lines.map((line) => line.trim().split(/ +/).map(Number));
    const holds = ([first = 0, , count = 0]: number[]): boolean =>
      first <= range.first && range.last < first + count;
    if (mapped.length > 0 && !mapped.some(holds)) {
      throw wrong(`this container has no users of these numbers (${file})`);
    }
  }
}

function isWithin({ first, last }: UserRange, from: number, count: number): boolean {
  return Number.isFinite(from) && from <= last && from + count > first;
}

const wrong = (reason: string): ConfigError => new ConfigError({ FLOY_BUILD_USERS: reason });
const inUse = (why: string): ConfigError =>
  wrong(`must name users that nobody else has, and ${why}: choose other numbers`);

async function fieldsOf(file: string): Promise<string[][]> {
  return (await textOf(file)).split('\n').map((line) => line.split(':'));
}

/** A machine without the file gives nothing to anybody by it. */
const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

import { execFile } from 'node:child_process';
import { lstat, readlink, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { promisify } from 'node:util';

/** Not the variable: whoever can write to a folder of that could say anything here. */
const PATH = '/usr/bin:/bin';

/**
 * Why a stranger could put another folder in the place of this one, or of one above it: a sentence
 * for an error; undefined when nobody can. A group that may write counts as strangers, unless it is
 * the own primary group of this process.
 *
 * @param path has to be there; links on the way to it count too
 * @param ours user ids that are trusted beside root
 */
export async function exchangeable(
  path: string,
  ours: readonly number[],
): Promise<string | undefined> {
  return (await exchangeableLink(path, ours)) ?? exchangeableFolder(await realpath(path), ours);
}

/**
 * As `exchangeable`, of the links on the way alone: one leads where its owner says, and so does one
 * in a folder of somebody else's. What is not there yet is nobody's.
 */
export async function exchangeableLink(
  path: string,
  ours: readonly number[],
): Promise<string | undefined> {
  let at: string = sep;
  for (const part of resolve(path).split(sep)) {
    const holder = at;
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined) return undefined;
    if (!found.isSymbolicLink()) continue;
    const { uid } = found;
    if (uid !== 0 && !ours.includes(uid)) return `the link ${at} belongs to another user (${uid})`;
    const why = await exchangeable(holder, ours);
    if (why !== undefined) return `${at} is a link, and ${why}`;
    const beyond = await exchangeableLink(resolve(holder, await readlink(at)), ours);
    if (beyond !== undefined) return beyond;
  }
  return undefined;
}

/**
 * As `exchangeable`, of a real path. Where it answers undefined the path stays this folder's: a link
 * that a stranger puts on the way meanwhile is the stranger's, and not followed.
 */
export async function exchangeableFolder(
  path: string,
  ours: readonly number[],
): Promise<string | undefined> {
  for (let at = path; ; at = dirname(at)) {
    const { uid, gid, mode } = await lstat(at);
    const isTop = at === dirname(at);
    // In a container without all users of its machine the top belongs to nobody known.
    if (uid !== 0 && !ours.includes(uid) && !isTop) {
      return `${at} belongs to another user (${uid})`;
    }
    const isSticky = (mode & 0o1000) !== 0;
    if ((mode & 0o002) !== 0 && !isSticky) return `everybody may write to ${at}`;
    const isForeignGroup = gid !== 0 && gid !== process.getgid?.();
    if ((mode & 0o020) !== 0 && isForeignGroup && !isSticky) {
      return `a group of users (${gid}) may write to ${at}`;
    }
    // With an access list the group's letters say the most that anybody named in it may do.
    if ((mode & 0o020) !== 0 && !isSticky && (await hasAccessList(at))) {
      return `others may write to ${at} by its access list`;
    }
    if (isTop) return undefined;
  }
}

/** Node says nothing of access lists. */
async function hasAccessList(path: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ls', ['-ldn', path], {
    env: { PATH, LC_ALL: 'C' },
  });
  return /^\S+\+ /.test(stdout);
}

/** The user that this process acts as; -1 where the system knows no users. */
export function ownUid(): number {
  return process.geteuid?.() ?? -1;
}

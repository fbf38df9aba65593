import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Why a stranger could put another folder in the place of this one, or of one above it: a sentence
 * for an error; undefined when nobody can. A group that may write counts as strangers, unless it is
 * the own primary group of this process.
 *
 * @param path has to be there; links in it are followed first
 * @param ours user ids that are trusted beside root
 */
export async function exchangeable(
  path: string,
  ours: readonly number[],
): Promise<string | undefined> {
  for (let at = await realpath(path); ; at = dirname(at)) {
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
    if (isTop) return undefined;
  }
}

/** The user that this process acts as; -1 where the system knows no users. */
export function ownUid(): number {
  return process.geteuid?.() ?? -1;
}

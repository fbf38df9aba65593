import { VerdictError } from '@floy/domain';

/** No honest commit is near it; what is built of one has to be half of that to be shipped. */
const MOST_ENTRIES = 1_000_000;

/**
 * Counts the lines of what `git ls-tree` says of a commit, which comes in pieces. A few trees that
 * hold each other ten times over are millions of files, for which `git checkout` takes all the memory
 * of the machine before it writes the first.
 *
 * The function that is made throws VerdictError at the first piece that goes beyond the limit.
 */
export function createEntryCount(most = MOST_ENTRIES): (text: string) => void {
  let entries = 0;
  return (text) => {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) entries += 1;
    if (entries <= most) return;
    throw new VerdictError(
      `the commit is too large to be checked out: more than ${most} files and folders`,
    );
  };
}

import { posix } from 'node:path';
import { below, type ShippedFrom } from './own-build.js';

/** How much of a file is looked at: Linux reads 255 bytes of an interpreter's line. */
export const HEAD_BYTES = 512;

/** What takes the place of the beginning of a file. */
export interface NewHead {
  readonly text: string;
  /** How many bytes of the file it stands for. */
  readonly replaces: number;
}

/**
 * Scripts of a Python environment begin with the path of its Python, where it was built. Hosts have no
 * such path, and a release lies in another folder each time, so that such a script is given a
 * beginning that finds the Python beside itself: for `sh` a command, for Python a text that
 * nothing uses. Undefined where a file stays as it is.
 *
 * @param head the first `HEAD_BYTES` of the file, each byte a character
 */
export function movableHead(from: ShippedFrom, name: string, head: string): NewHead | undefined {
  const end = head.indexOf('\n');
  if (!head.startsWith('#!') || end < 0) return undefined;
  const [interpreter = '', ...words] = head
    .slice(2, end)
    .trim()
    .split(/[ \t]+/);
  if (below(from.passing, interpreter) === undefined) return undefined;
  const inside = below(from.root, interpreter);
  const movable =
    inside !== undefined &&
    /^(?:python|pypy)[\d.]*$/.test(posix.basename(inside)) &&
    /^[\w./+@-]+$/.test(inside) &&
    words.every((word) => /^-[\w=.-]+$/.test(word));
  if (!movable) {
    from.note(`${name} begins with #!${interpreter}, which hosts do not have`);
    return undefined;
  }
  const way = posix.relative(posix.dirname(`/${name}`), `/${inside}`);
  const own = `"$(dirname -- "$(readlink -f -- "$0")")/${way}"`;
  const command = [own, ...words, '"$0"', '"$@"'].join(' ');
  return { text: `#!/bin/sh\n'''exec' ${command}\n' '''\n`, replaces: end + 1 };
}

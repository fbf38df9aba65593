import { VerdictError } from '@floy/domain';
import { readlink } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import { below, wayFrom, type ShippedFrom } from './own-build.js';

/** As many as Linux follows: a link beyond leads nowhere. */
const MOST_HOPS = 40;

/** A link, and the text that it holds. */
interface Link {
  readonly name: string;
  readonly target: string;
}

/**
 * What a link of a package holds on hosts.
 *
 * @throws VerdictError naming the link by which it leads out of the package
 */
export async function packageTarget(root: string, link: Link): Promise<string> {
  const leaving = await leavingLink(root, link);
  if (leaving === undefined) return link.target;
  throw new VerdictError(
    `the artifact holds a symbolic link that leads out of it: ${told(leaving)}`,
  );
}

/**
 * What a link that a build made holds on hosts. It may lead out: a Python environment links to the
 * system's Python. Where it names something of the artifact by the path of the checkout, which hosts
 * do not have, it becomes relative. Nothing is followed: only the text counts.
 *
 * @throws VerdictError where it names a `.floy`, in which secrets lie, or what is gone after the build
 */
export function builtTarget(from: ShippedFrom, link: Link): string {
  const { name, target } = link;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('.floy')) {
    throw new VerdictError(`the artifact holds a symbolic link into a .floy: ${told(link)}`);
  }
  if (!isAbsolute(target)) {
    if (climbs(parts) >= name.split('/').length) from.note(outside(link));
    return target;
  }
  const inside = below(from.root, `/${parts.join('/')}`);
  if (inside !== undefined && !parts.includes('..')) return wayFrom(name, inside);
  if (below(from.passing, `/${parts.join('/')}`) !== undefined) {
    throw new VerdictError(
      `the artifact holds a symbolic link to what is only there while it is built: ${told(link)}` +
        (/^(?:python|pypy)/.test(basename(name)) ? PYTHON_ADVICE : ''),
    );
  }
  from.note(outside(link));
  return target;
}

const PYTHON_ADVICE =
  '; make the environment with a Python that hosts have in the same place (/usr/bin/python3 -m ' +
  'venv venv), or with one of its own inside of the artifact (python3 -m venv --copies venv)';

const told = ({ name, target }: Link): string => `${name} -> ${target}`;
const outside = (link: Link): string =>
  `${told(link)} leads out of the artifact: hosts need what it points to`;

/** How many folders the steps go up before they go down. */
function climbs(parts: readonly string[]): number {
  const down = parts.findIndex((part) => part !== '..');
  return down < 0 ? parts.length : down;
}

/**
 * The link by which following one would leave the folder: itself, or one that it leads to. Goes part
 * by part as the kernel does, and never to what is outside: where a part is itself a link, `..` after
 * it goes up from where that leads. What does not exist (yet) is taken by its name.
 */
async function leavingLink(root: string, first: Link): Promise<Link | undefined> {
  const at = first.name.split('/').slice(0, -1);
  const waiting: { part: string; of: Link }[] = [];
  const take = (link: Link): void => {
    const parts = link.target.split('/').filter((part) => part !== '' && part !== '.');
    waiting.push(...parts.map((part) => ({ part, of: link })).reverse());
  };
  if (isAbsolute(first.target)) return first;
  take(first);
  let hops = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.part === '..') {
      if (at.pop() === undefined) return next.of;
      continue;
    }
    at.push(next.part);
    const target = await readlink(join(root, ...at)).catch(() => undefined);
    if (target === undefined) continue;
    const link = { name: at.join('/'), target };
    at.pop();
    if (isAbsolute(target)) return link;
    hops += 1;
    if (hops > MOST_HOPS) return undefined;
    take(link);
  }
  return undefined;
}

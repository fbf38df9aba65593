import { realpath } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, relative } from 'node:path';

/** What of the machine is covered where commands run, and what of that is shown again. */
export interface Shown {
  readonly hidden: readonly string[];
  readonly kept: readonly string[];
}

/**
 * Covered are Floy's data, the home folders of its user and of root with what programs keep there
 * about people, and where sockets are (a Docker daemon gives root to whoever reaches it). Shown
 * again are the way to name servers, and the Node that runs Floy, which a version manager keeps
 * below a home.
 */
export async function shownOf(floys: readonly string[]): Promise<Shown> {
  const wanted = [...floys, homedir(), '/root', '/var/run', '/run', tmpdir()];
  const real = (await Promise.all(wanted.map(realOf))).filter((path) => path !== undefined);
  const hidden = [...new Set(real)]
    .filter((path) => path !== '/' && !['/tmp', '/var/tmp'].includes(path))
    .filter((path) => !real.some((other) => other !== '/' && other !== path && holds(other, path)))
    .toSorted();
  const covered = (path: string): boolean => hidden.some((each) => holds(each, path));
  const resolver = await realOf('/etc/resolv.conf');
  const kept = [resolver, await programsOf(process.execPath, hidden)];
  return { hidden, kept: kept.filter((path) => path !== undefined).filter(covered) };
}

/** The folder that Node and npm are installed in, or Node alone where that folder holds more. */
async function programsOf(node: string, hidden: readonly string[]): Promise<string | undefined> {
  const file = await realOf(node);
  if (file === undefined) return undefined;
  const prefix = dirname(dirname(file));
  return hidden.some((each) => holds(prefix, each)) ? file : prefix;
}

const holds = (folder: string, path: string): boolean => !relative(folder, path).startsWith('..');

const realOf = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);

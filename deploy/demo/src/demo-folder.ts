import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultHome } from '@floy/local-servers/default-home';
import { lockHome } from '@floy/local-servers/home-lock';
import { endProcessesOf } from './processes.js';

/** The root of the clone that this file is in. */
export const clone = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');

/** Where a demo keeps everything, apart from any other Floy's data. */
export interface DemoFolder {
  readonly path: string;
  /** The Git repository of the service. */
  readonly repository: string;
  readonly hosts: string;
  /** FLOY_HOME of the demo's Floy. */
  readonly home: string;
  readonly log: string;
  /** Holds a copy of Node where builds cannot reach the one that runs this. */
  readonly programs: string;
  release(): Promise<void>;
}

/**
 * Takes the folder `demo` of Floy's data folder, ends what a demo that was killed left there, and
 * empties it: each demo begins at nothing.
 *
 * @throws Error when another demo has it
 */
export async function takeDemoFolder(home: string | undefined): Promise<DemoFolder> {
  const wanted = join(home ?? (await defaultHome(clone)), 'demo');
  await mkdir(wanted, { recursive: true });
  const path = await realpath(wanted);
  const lock = await lockHome(path);
  const folder = {
    path,
    repository: join(path, 'greeter'),
    hosts: join(path, 'hosts'),
    home: join(path, 'home'),
    log: join(path, 'floy.log'),
    programs: join(path, 'programs'),
  };
  try {
    await endProcessesOf(path);
    for (const name of ['repository', 'hosts', 'home', 'log', 'programs'] as const) {
      await rm(folder[name], { recursive: true, force: true });
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
  return { ...folder, release: () => lock.release() };
}

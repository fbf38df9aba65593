import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildUser } from './build-user.js';
import { removeTree } from './folders.js';
import { makeProcessFolder } from './process-folder.js';

/** Empty folders for one command, gone after it. */
export interface Scratch {
  folder: string;
  home: string;
  temporary: string;
  remove(): Promise<void>;
}

/** Below `parent`, which the build user has to be able to enter; by default the system's folder. */
export async function makeScratch(user: BuildUser | undefined, parent?: string): Promise<Scratch> {
  const folder = await makeProcessFolder('run', parent);
  const [home, temporary] = [join(folder, 'home'), join(folder, 'tmp')];
  for (const each of [home, temporary]) await mkdir(each, { mode: 0o700 });
  if (user) {
    for (const each of [home, temporary, folder]) await chown(each, user.uid, user.gid);
  }
  return { folder, home, temporary, remove: () => removeTree(folder) };
}

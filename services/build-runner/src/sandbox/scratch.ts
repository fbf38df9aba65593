import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildUser } from './build-user.js';
import { makeProcessFolder } from './process-folder.js';

/** Empty folders for one command, gone after it. */
export interface Scratch {
  home: string;
  temporary: string;
  remove(): Promise<void>;
}

export async function makeScratch(user: BuildUser | undefined): Promise<Scratch> {
  const { path, remove } = await makeProcessFolder('run');
  // The build user has to get to what is its own in it.
  await chmod(path, 0o711);
  const [home, temporary] = [join(path, 'home'), join(path, 'tmp')];
  for (const each of [home, temporary]) {
    await mkdir(each, { mode: 0o700 });
    if (user) await chown(each, user.uid, user.gid);
  }
  return { home, temporary, remove };
}

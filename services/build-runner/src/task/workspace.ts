import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildUser } from '../sandbox/build-user.js';
import { handOver } from '../sandbox/folders.js';
import { makeProcessFolder } from '../sandbox/process-folder.js';
import type { Sandbox } from '../sandbox/sandbox.js';

/** A task's own folder and user, gone after it; what a killed runner left the next one removes. */
export interface Workspace {
  /** Whom the task's commands run as; undefined where that is Floy's own user. */
  readonly user: BuildUser | undefined;
  /** The checkout. Nobody but the build user can enter it. */
  readonly source: string;
  /** For the one file of an artifact: a package that was fetched, or what a test is to find. */
  readonly artifact: string;
  remove(): Promise<void>;
}

/** Makes an empty workspace. Throws `CouldNotTellError` when no build user is free. */
export async function makeWorkspace(sandbox: Pick<Sandbox, 'openSlot'>): Promise<Workspace> {
  const slot = await sandbox.openSlot();
  const { path, remove } = await makeProcessFolder('task');
  // The build user has to get to the checkout.
  await chmod(path, 0o711);
  const source = join(path, 'source');
  const artifact = join(path, 'artifact');
  for (const folder of [source, artifact]) {
    await mkdir(folder, { mode: 0o700 });
    await handOver(folder, slot.user);
  }
  return {
    ...{ user: slot.user, source, artifact },
    remove: () => remove().finally(slot.close),
  };
}

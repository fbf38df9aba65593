import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../sandbox/folders.js';
import { makeProcessFolder } from '../sandbox/process-folder.js';

/** A task's own folder, gone after it; what a killed runner left the next one removes. */
export interface Workspace {
  /** The checkout. */
  readonly source: string;
  /** Where the test finds what was built. */
  readonly artifact: string;
  remove(): Promise<void>;
}

export async function makeWorkspace(): Promise<Workspace> {
  const folder = await makeProcessFolder('task');
  // The build user has to get to the checkout.
  await chmod(folder, 0o711);
  const source = join(folder, 'source');
  const artifact = join(folder, 'artifact');
  await mkdir(source);
  await mkdir(artifact);
  return { source, artifact, remove: () => removeTree(folder) };
}

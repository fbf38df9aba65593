import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeProcessFolder } from '../sandbox/process-folder.js';

/** A task's own folder, gone after it; what a killed runner left the next one removes. */
export interface Workspace {
  /** The checkout. */
  readonly source: string;
  /** For the one file of an artifact: a package that was fetched, or what a test is to find. */
  readonly artifact: string;
  remove(): Promise<void>;
}

export async function makeWorkspace(): Promise<Workspace> {
  const { path, remove } = await makeProcessFolder('task');
  // The build user has to get to the checkout.
  await chmod(path, 0o711);
  const source = join(path, 'source');
  const artifact = join(path, 'artifact');
  await mkdir(source);
  await mkdir(artifact);
  return { source, artifact, remove };
}

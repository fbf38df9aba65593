import { mkdir, mkdtemp, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../sandbox/folders.js';

/** A task's own folder, gone after it. */
export interface Workspace {
  /** The checkout. */
  readonly source: string;
  remove(): Promise<void>;
}

export async function makeWorkspace(parent: string): Promise<Workspace> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'task-'));
  // The build user has to get to the checkout, and to nothing of Floy's beside it.
  await chmod(folder, 0o711);
  const source = join(folder, 'source');
  await mkdir(source);
  return { source, remove: () => removeTree(folder) };
}

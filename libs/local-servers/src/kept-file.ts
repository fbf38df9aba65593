import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

/** The text of a file; undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file that is either whole or not there, readable by its owner only. */
export async function writePrivately(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}

/**
 * What the file holds; made where nothing needs it yet.
 *
 * @param needed whether there is something that only the lost one opens
 * @throws Error naming the file, where it is needed and not there
 */
export async function neededSecret(
  path: string,
  needed: Promise<boolean>,
  make?: () => string,
): Promise<string> {
  if ((await needed) && !(await readIfThere(path))?.trim()) {
    throw new Error(
      `${path} is missing, and the data beside it cannot be used without it: bring the file back`,
    );
  }
  return keptSecret(path, make);
}

/** What the file holds, or what `make` answers, written there first. */
export async function keptSecret(
  path: string,
  make: () => string = () => randomBytes(24).toString('hex'),
): Promise<string> {
  const kept = (await readIfThere(path))?.trim();
  if (kept) return kept;
  const made = make();
  await writePrivately(path, `${made}\n`);
  return made;
}

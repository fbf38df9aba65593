import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// Administrators' folders are often missing from an ordinary user's PATH.
const MORE_FOLDERS = [
  '/usr/local/bin',
  '/usr/local/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/opt/homebrew/bin',
];

/**
 * Every program of this name on the search path and in the folders that programs usually are in,
 * in that order.
 *
 * @param searchPath folders as in the variable PATH
 */
export function findPrograms(name: string, searchPath: string): string[] {
  const folders = new Set([...searchPath.split(delimiter).filter(Boolean), ...MORE_FOLDERS]);
  return [...folders]
    .map((folder) => join(folder, name))
    .filter((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

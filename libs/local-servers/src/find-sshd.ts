import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

// sshd stands in administrators' folders, which are often missing from an ordinary user's PATH.
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin', '/usr/bin', '/usr/local/bin'];

/**
 * The full path of OpenSSH's server; undefined when it is not installed. The path has to be
 * absolute: sshd runs itself again for every connection.
 */
export function findSshd(searchPath = ''): Promise<string | undefined> {
  return findProgram('sshd', searchPath);
}

/** The full path of OpenSSH's key maker; undefined when it is not installed. */
export function findSshKeygen(searchPath = ''): Promise<string | undefined> {
  return findProgram('ssh-keygen', searchPath);
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  const folders = new Set([...searchPath.split(delimiter).filter(Boolean), ...MORE_FOLDERS]);
  for (const folder of folders) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

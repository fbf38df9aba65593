import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Lets the user `nobody` write to a folder by an access list, beside its owner and group (a POSIX ACL).
 * Written by tar, which every machine has: the tools for access lists are a package of their own.
 */
export async function letNobodyWrite(folder: string): Promise<void> {
  const list = ['user::rwx', 'user:nobody:rwx', 'group::r-x', 'mask::rwx', 'other::r-x'].join('\n');
  const archive = `${folder}.tar`;
  const named = [`--pax-option=SCHILY.acl.access:=${list}\n`, '--no-recursion'];
  await execute('tar', ['--format=posix', ...named, '-C', folder, '-cf', archive, '.']);
  await execute('tar', ['--acls', '-C', folder, '-xf', archive]);
  await rm(archive);
}

import { findPrograms } from './find-program.js';

/**
 * The full path of OpenSSH's server; undefined when it is not installed. sshd runs itself again for
 * every connection, so nothing but a full path will do.
 *
 * @param searchPath folders as in the variable PATH, besides those that it is usually in
 */
export function findSshd(searchPath = ''): string | undefined {
  return findPrograms('sshd', searchPath)[0];
}

/** The full path of OpenSSH's key maker; undefined when it is not installed. */
export function findSshKeygen(searchPath = ''): string | undefined {
  return findPrograms('ssh-keygen', searchPath)[0];
}

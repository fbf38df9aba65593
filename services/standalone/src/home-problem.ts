import { ConfigError } from '@floy/service-kit/config';

/** Why a folder cannot be used, by the code of the system. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system can only be read',
  ENOTDIR: 'a file stands where the folder, or one above it, should be',
  EEXIST: 'a file stands where the folder should be',
  ENOSPC: 'its disk is full',
  ENAMETOOLONG: 'its name is too long',
};

/** Runs work that needs the data folder. Its errors are told as faults of FLOY_HOME. */
export async function inHome<T>(home: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Somebody who gives up the start wants no advice.
    if (error instanceof ConfigError || (error as Error).name === 'AbortError') throw error;
    throw new ConfigError({ FLOY_HOME: homeProblem(home, error) }, { cause: error });
  }
}

function homeProblem(home: string, error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : reasons[code];
  if (known !== undefined) {
    const where = path === undefined || path === home ? '' : ` (${path})`;
    return (
      `the data folder ${home} cannot be used, because ${known}${where}: set it to a folder that ` +
      'Floy may make and write to'
    );
  }
  // A server that did not start has written many lines; the one that counts says FATAL or PANIC.
  const [first = '', ...said] = String((error as Error).message).split('\n');
  const fatal = said.findLast((line) => /FATAL|PANIC|ERROR/.test(line)) ?? said.at(-1);
  if (fatal === undefined) return first;
  return (
    `${first} ${fatal.trim()} (more in the log beside it): mend that, bring a backup back, or set ` +
    'it to another folder'
  );
}

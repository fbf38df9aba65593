import { VerdictError } from '@floy/domain';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DEFAULT_PATH } from './default-path.js';

const run = promisify(execFile);

/** The user of the system that other people's commands run as. */
export interface BuildUser {
  name: string;
  uid: number;
  gid: number;
}

/** One sentence for the log, where builds are not kept from what belongs to Floy. */
export function shortcomingOfUser(user: BuildUser | undefined): string | undefined {
  if (user !== undefined && user.uid !== 0) return undefined;
  return (
    "builds run as Floy's own user: whoever can push to a repository that is deployed can read " +
    "Floy's keys; run the build-runner as root, with FLOY_BUILD_USER naming another user"
  );
}

/**
 * Looks up `FLOY_BUILD_USER`. Undefined when Floy is not root: it can become nobody else, so
 * commands run as Floy's own user. Throws `VerdictError` when the user does not exist.
 */
export async function findBuildUser(name: string): Promise<BuildUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const numberOf = async (option: string): Promise<number> => {
    const { stdout } = await run('id', [option, '--', name], { env: { PATH: DEFAULT_PATH } }).catch(
      () => {
        throw new VerdictError(`FLOY_BUILD_USER names ${name}, a user this machine does not have`);
      },
    );
    return Number(stdout);
  };
  return { name, uid: await numberOf('-u'), gid: await numberOf('-g') };
}

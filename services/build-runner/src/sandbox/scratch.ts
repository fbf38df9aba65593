import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILD_USER_NAME, type BuildUser } from './build-user.js';
import { makeProcessFolder } from './process-folder.js';
import { PLACES } from './places.js';

/** Empty folders for one command, gone after it. */
export interface Scratch {
  readonly home: string;
  /** What is `/tmp`. */
  readonly temporary: string;
  /** What is `/var/tmp`. */
  readonly lasting: string;
  /** Where the command's view is put together; nothing comes to lie in it. */
  readonly root: string;
  /** Lists of users and groups in which the build user has a name. */
  readonly passwd: string;
  readonly group: string;
  remove(): Promise<void>;
}

/** @param user who runs the command, as it is called inside: Floy's own where undefined */
export async function makeScratch(user: BuildUser | undefined): Promise<Scratch> {
  const { path, remove } = await makeProcessFolder('run');
  // The build user has to get to what is its own in it.
  await chmod(path, 0o711);
  const scratch = {
    home: join(path, 'home'),
    temporary: join(path, 'tmp'),
    lasting: join(path, 'var-tmp'),
    root: join(path, 'root'),
    passwd: join(path, 'passwd'),
    group: join(path, 'group'),
    remove,
  };
  for (const each of [scratch.home, scratch.temporary, scratch.lasting]) {
    await mkdir(each, { mode: 0o700 });
    if (user) await chown(each, user.uid, user.gid);
  }
  await mkdir(scratch.root, { mode: 0o755 });
  const [uid, gid] = [user?.uid ?? process.getuid?.() ?? 0, user?.gid ?? process.getgid?.() ?? 0];
  const named = uid !== 0;
  const build = `${BUILD_USER_NAME}:x:${uid}:${gid}::${PLACES.home}:/bin/sh\n`;
  await writeFile(
    scratch.passwd,
    `root:x:0:0:root:/root:/bin/sh\n${named ? build : ''}nobody:x:65534:65534:nobody:/:/bin/false\n`,
    { mode: 0o644 },
  );
  await writeFile(
    scratch.group,
    `root:x:0:\n${named ? `${BUILD_USER_NAME}:x:${gid}:\n` : ''}nogroup:x:65534:\n`,
    { mode: 0o644 },
  );
  return scratch;
}

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A tag of the repository and the commit it stands for. */
export interface TaggedCommit {
  readonly tag: string;
  readonly commit: string;
}

/** One folder for each version, with the files that it changes. */
const versions = fileURLToPath(new URL('../versions/', import.meta.url));

/** Makes the service's Git repository: one commit and one tag for each version, in order. */
export async function makeRepository(folder: string, searchPath: string): Promise<TaggedCommit[]> {
  const git = async (...words: string[]): Promise<string> => {
    const { stdout } = await run('git', words, {
      cwd: folder,
      // Nothing of the user's own settings: signing, hooks and templates would change the story.
      env: {
        PATH: searchPath,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        ...identity('AUTHOR'),
        ...identity('COMMITTER'),
      },
    });
    return stdout.trim();
  };
  await mkdir(folder, { recursive: true });
  await git('init', '--quiet', '--template=', '--initial-branch=main');
  const tagged: TaggedCommit[] = [];
  for (const tag of (await readdir(versions)).sort()) {
    await cp(join(versions, tag), folder, { recursive: true });
    await git('add', '--all');
    await git('commit', '--quiet', '--message', `greeter ${tag}`);
    await git('tag', tag);
    tagged.push({ tag, commit: await git('rev-parse', 'HEAD') });
  }
  return tagged;
}

function identity(of: 'AUTHOR' | 'COMMITTER'): Record<string, string> {
  return { [`GIT_${of}_NAME`]: 'Floy demo', [`GIT_${of}_EMAIL`]: 'demo@floy.invalid' };
}

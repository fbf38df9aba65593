import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A repository on this machine with one commit. */
export interface Repository {
  readonly url: string;
  readonly commit: string;
}

/** Makes a repository of these files, whose one commit has the tag v1.0.0. */
export async function makeRepository(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<Repository> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const author = ['-c', 'user.name=bench', '-c', 'user.email=bench@floy'];
  const git = (...words: string[]) => execute('git', ['-C', folder, ...author, ...words]);
  await git('init', '--quiet', '--initial-branch', 'main');
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content);
  }
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'The version');
  await git('tag', 'v1.0.0');
  const { stdout } = await git('rev-parse', 'HEAD');
  return { url: folder, commit: stdout.trim() };
}

import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A repository with one tag per version, each of which holds its version in a file. */
export interface TestRepository {
  readonly url: string;
  /** The commit of each tag. */
  readonly commits: ReadonlyMap<string, string>;
}

/** Makes a real Git repository below `folder`. */
export async function makeRepository(
  folder: string,
  tags: readonly string[],
): Promise<TestRepository> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  const git = (...words: string[]) =>
    run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-C', folder, ...words]);
  await git('init', '-q', '-b', 'main');
  const commits = new Map<string, string>();
  for (const tag of tags) {
    await writeFile(join(folder, 'version'), `${tag}\n`);
    await git('add', '.');
    await git('commit', '-q', '-m', `Release ${tag}`);
    await git('tag', tag);
    commits.set(tag, (await git('rev-parse', 'HEAD')).stdout.trim());
  }
  return { url: folder, commits };
}

/** One line of a host's ledger: the host itself is the judge of what was done to it. */
export interface LedgerLine {
  what: 'begin' | 'end' | 'OVERLAP';
  version: string;
  release: string;
}

/**
 * How the application is restarted: writes to the host's ledger when it begins and ends, says so if
 * another restart is at work at the same time, and takes `seconds`. A version called `…-broken`
 * does not become healthy.
 */
export function hostCommands(seconds: number) {
  const release = 'basename "$FLOY_RELEASE_PATH"';
  return {
    restart_command: [
      'cd "$FLOY_RELEASE_PATH/../.."',
      // Held by whatever of this restart still lives, so that a killed one does not count.
      'exec 7>busy; flock -n 7 || echo "OVERLAP $FLOY_VERSION -" >> ledger',
      `echo "begin $FLOY_VERSION $(${release})" >> ledger`,
      `sleep ${seconds}`,
      'cp "$FLOY_RELEASE_PATH/version" running',
      `echo "end $FLOY_VERSION $(${release})" >> ledger`,
    ].join('\n'),
    status_command: 'test "$(cat "$FLOY_RELEASE_PATH/../../running")" = "$FLOY_VERSION"',
    health_check_command: 'case "$FLOY_VERSION" in *-broken) echo "it is broken"; exit 1 ;; esac',
    health_check_timeout: 2,
  };
}

/** The ledger of a host's place, oldest first; empty where nothing was restarted yet. */
export async function readLedger(place: string): Promise<LedgerLine[]> {
  const text = await readFile(join(place, 'ledger'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [what, version, release] = line.split(' ');
      return { what: what as LedgerLine['what'], version: version ?? '', release: release ?? '' };
    });
}

/** What runs on a host's place, as its own files say. */
export async function runningOn(place: string): Promise<string> {
  return (await readFile(join(place, 'running'), 'utf8').catch(() => '')).trim();
}

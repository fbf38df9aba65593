import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SshdHost } from '@floy/local-servers/sshd';

/** The hosts and the key that they all accept. */
export interface FirstHosts {
  readonly hosts: readonly SshdHost[];
  readonly privateKey: string;
}

/** What is sent to every host: a tar archive compressed by gzip. */
export interface ParallelWork {
  readonly archive: string;
  /** A folder for the keys and the script; the hosts' copies are put below it too. */
  readonly folder: string;
  /** How many at once. */
  readonly atOnce: number;
}

/**
 * The peer: for each host one `ssh` of its own, so many at once by `xargs`, that unpacks the archive
 * there and points a link to it. Nothing is known of the hosts before. Answers the seconds it took.
 */
export async function parallelOpenSsh(
  { hosts, privateKey }: FirstHosts,
  work: ParallelWork,
): Promise<number> {
  const { folder, archive, atOnce } = work;
  await mkdir(folder, { recursive: true });
  const key = join(folder, 'key');
  await writeFile(key, privateKey, { mode: 0o600 });
  const script = join(folder, 'to-host.sh');
  await writeFile(script, scriptText({ folder, archive, key }), { mode: 0o700 });
  const lines = hosts.map(({ port, user }) => `${port} ${user}\n`).join('');
  const began = performance.now();
  await xargs(['-P', String(atOnce), '-L', '1', 'sh', script], lines);
  const seconds = (performance.now() - began) / 1000;
  await rm(folder, { recursive: true });
  return seconds;
}

function scriptText(of: { folder: string; archive: string; key: string }): string {
  const options = [
    '-F /dev/null',
    `-i '${of.key}'`,
    '-o IdentitiesOnly=yes',
    '-o BatchMode=yes',
    '-o StrictHostKeyChecking=accept-new',
    `-o UserKnownHostsFile='${of.folder}/known-'"$port"`,
    '-o LogLevel=ERROR',
  ];
  return `port=$1
place='${of.folder}/place-'$port
exec ssh ${options.join(' ')} -p "$port" "$2@127.0.0.1" "mkdir -p $place/new && tar -xzf - -C $place/new && ln -sfn new $place/current && true" <'${of.archive}'
`;
}

function xargs(words: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('xargs', words, { stdio: ['pipe', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`xargs of ssh ended with ${code}`));
    });
    child.stdin.end(input);
  });
}

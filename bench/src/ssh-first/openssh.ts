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
  /** A shell command that restarts a service. */
  readonly restart: string;
  /** A folder for the keys and the scripts; the hosts' copies are put below it too. */
  readonly folder: string;
  /** How many at once. */
  readonly atOnce: number;
}

/** What one connection to a host does there. */
interface Pass {
  readonly name: string;
  /** In the host's place, which is there. */
  readonly command: string;
  /** What the command reads. */
  readonly input: string;
}

/**
 * The least: one connection to each host unpacks the archive there and points a link to it. So a
 * host serves the new files before another one has them.
 */
export function inOnePass({ archive }: ParallelWork): readonly Pass[] {
  const command = 'mkdir new && tar -xzf - -C new && ln -sfn new current && true';
  return [{ name: 'release', command, input: archive }];
}

/**
 * A rollout's work, which switches no host before every host has the files: one connection to each
 * host for those and its environment, then another one for the link, the restart and its status.
 */
export function inTwoPasses({ archive, restart }: ParallelWork): readonly Pass[] {
  const stage = 'mkdir new && tar -xzf - -C new && umask 077 && echo "NAME=value" >environment';
  return [
    { name: 'stage', command: stage, input: archive },
    { name: 'switch', command: `ln -sfn new current && ${restart} && true`, input: '/dev/null' },
  ];
}

/**
 * The peer: for each host one `ssh` of its own in each pass, so many at once by `xargs`. Nothing is
 * known of the hosts before. Answers the seconds it took.
 */
export async function parallelOpenSsh(
  { hosts, privateKey }: FirstHosts,
  work: ParallelWork,
  passes: readonly Pass[],
): Promise<number> {
  const { folder, atOnce } = work;
  await mkdir(folder, { recursive: true });
  const key = join(folder, 'key');
  await writeFile(key, privateKey, { mode: 0o600 });
  const lines = hosts.map(({ port, user }) => `${port} ${user}\n`).join('');
  const began = performance.now();
  for (const pass of passes) {
    const script = join(folder, `${pass.name}.sh`);
    await writeFile(script, scriptText({ folder, key, pass }), { mode: 0o700 });
    await xargs(['-P', String(atOnce), '-L', '1', 'sh', script], lines);
  }
  const seconds = (performance.now() - began) / 1000;
  await rm(folder, { recursive: true });
  return seconds;
}

function scriptText({ pass, ...of }: { folder: string; key: string; pass: Pass }): string {
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
exec ssh ${options.join(' ')} -p "$port" "$2@127.0.0.1" "mkdir -p $place && cd $place && "'${pass.command.replaceAll("'", `'\\''`)}' <'${pass.input}' >>'${of.folder}/said-'"$port"
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

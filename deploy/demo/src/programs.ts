import { spawn } from 'node:child_process';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { findPrograms } from '@floy/local-servers/find-program';

/** What the demo needs besides Node, and the package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  git: 'git',
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  flock: 'util-linux',
  setsid: 'util-linux',
  tar: 'tar',
  gzip: 'gzip',
};

/** Asked by packages before they start a service: 101 means that they must not. */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs what is missing, where that is possible without asking: as root with apt-get. No service
 * is started.
 *
 * @throws Error naming what to install
 */
export async function ensurePrograms(
  searchPath: string,
  say: (line: string) => void,
): Promise<void> {
  if (process.platform !== 'linux') {
    throw new Error("The demo's hosts are processes of this machine, which has to be a Linux");
  }
  const missing = missingPrograms(searchPath);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => NEEDED[name] ?? name))];
  const [apt] = findPrograms('apt-get', searchPath);
  if (process.getuid?.() !== 0 || apt === undefined) {
    throw new Error(
      `Not installed: ${missing.join(', ')}. Install ${packages.join(' and ')} ` +
        `(Debian: apt-get install ${packages.join(' ')}) and start the demo again`,
    );
  }
  say(`Installing ${packages.join(' and ')} by apt-get; no service is started`);
  await withoutServices(async () => {
    await run(apt, ['update', '-qq']);
    await run(apt, ['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  });
  const still = missingPrograms(searchPath);
  if (still.length > 0) throw new Error(`Still not there after installing: ${still.join(', ')}`);
}

function missingPrograms(searchPath: string): string[] {
  return Object.keys(NEEDED).filter((name) => findPrograms(name, searchPath).length === 0);
}

/** A policy that is there already stays: it is the machine's own. */
async function withoutServices(install: () => Promise<void>): Promise<void> {
  const made = await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { flag: 'wx' }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  try {
    if (made) await chmod(POLICY, 0o755);
    await install();
  } finally {
    if (made) await rm(POLICY, { force: true });
  }
}

/** In a session of its own: Ctrl-C must not leave packages half installed. */
function run(program: string, words: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive' },
    });
    let said = '';
    const keep = (chunk: Buffer): void => {
      said = (said + chunk.toString('utf8')).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const end = said.trim().split('\n').slice(-5).join('\n');
      reject(new Error(`${program} ${words.join(' ')} ended with ${code}:\n${end}`));
    });
  });
}

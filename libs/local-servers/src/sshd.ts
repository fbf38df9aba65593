import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { findSshd, findSshKeygen } from './find-sshd.js';
import { freePort } from './free-port.js';
import { createSshdHost, type SshdHost } from './sshd-host.js';
import { makeSshKey } from './sshd-keys.js';

export { findSshd } from './find-sshd.js';
export type { SshdHost } from './sshd-host.js';

/** Real sshd processes of the current user on loopback, all accepting one client key. */
export interface SshdFleet {
  readonly hosts: readonly SshdHost[];
  readonly user: string;
  /** The key that every host accepts, in OpenSSH format. */
  readonly privateKey: string;
  /** Stops every host. */
  stop(): Promise<void>;
}

export interface SshdFleetOptions {
  /** Where keys, configurations, logs and the hosts' disks go; made if it is missing. */
  readonly folder: string;
  readonly hosts: number;
  /** Lines of sshd_config that win over the fleet's own, for all hosts. */
  readonly config?: readonly string[];
  /** Folders to look for sshd in, as in the variable PATH. */
  readonly searchPath?: string;
}

const PORT_TRIES = 5;

/** Starts a fleet. Throws, saying what to install, where OpenSSH's server cannot run. */
export async function startSshdFleet(options: SshdFleetOptions): Promise<SshdFleet> {
  const sshd = findSshd(options.searchPath);
  const keygen = findSshKeygen(options.searchPath);
  if (sshd === undefined || keygen === undefined) {
    throw new Error(
      `${sshd === undefined ? 'sshd' : 'ssh-keygen'} is not installed: install OpenSSH's server (Debian: apt-get install openssh-server)`,
    );
  }
  if (userInfo().uid === 0) await preparePrivilegeSeparation();
  const folder = resolve(options.folder);
  const { username: user } = userInfo();
  await mkdir(folder, { recursive: true });
  const client = await makeSshKey(keygen, join(folder, 'client_key'));

  // Two of many that start at once could be given one port, and the one that listens answers for both.
  const ports = new Set<number>();
  const portOfItsOwn = async (): Promise<number> => {
    for (;;) {
      const port = await freePort();
      if (ports.has(port)) continue;
      ports.add(port);
      return port;
    }
  };

  const startOne = async (index: number): Promise<SshdHost> => {
    const stateFolder = join(folder, `sshd-${index + 1}`);
    const disk = join(folder, `host-${index + 1}`);
    await mkdir(stateFolder, { mode: 0o700 });
    await mkdir(disk);
    const home = join(stateFolder, 'home');
    await mkdir(home);
    const hostKey = await makeSshKey(keygen, join(stateFolder, 'host_key'));
    const authorizedKeysFile = join(stateFolder, 'authorized_keys');
    await writeFile(authorizedKeysFile, `${client.publicKey}\n`, { mode: 0o600 });
    for (let tries = 1; ; tries += 1) {
      const host = createSshdHost({
        sshd,
        port: await portOfItsOwn(),
        user,
        folder: disk,
        stateFolder,
        hostKeyFile: hostKey.file,
        hostKeyFingerprint: hostKey.fingerprint,
        authorizedKeysFile,
        home,
        config: options.config ?? [],
      });
      try {
        await host.start();
        return host;
      } catch (error) {
        // Another process may have taken the port between the look and the start.
        if (tries === PORT_TRIES) throw error;
      }
    }
  };
  const started = await Promise.allSettled(
    Array.from({ length: options.hosts }, (_, index) => startOne(index)),
  );
  const hosts = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.stop()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return { hosts, user, privateKey: client.privateKey, stop };
}

/**
 * As root, sshd wants an empty folder and a user of its own for the part that talks to strangers.
 * The folder is made at boot by the system's init, which a container does not have.
 */
async function preparePrivilegeSeparation(): Promise<void> {
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw new Error('sshd run by root needs the folder /run/sshd, which could not be made', {
      cause: error,
    });
  });
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  if (users !== '' && !/^sshd:/m.test(users)) {
    throw new Error(
      'sshd run by root needs a user named sshd: install openssh-server by the package manager, or useradd --system --no-create-home --shell /usr/sbin/nologin sshd',
    );
  }
}

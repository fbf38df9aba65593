import { createRedactor } from '@floy/secrets/redaction';
import type { HostSettings } from '@floy/contracts';
import { type SshdHost, startSshdFleet } from '@floy/local-servers/sshd';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostRelease, HostWork } from '../src/rollout/host-work.js';
import { createHosts, type Hosts } from '../src/rollout/hosts.js';

/** A fleet of real hosts, and releases made for them. */
export interface HostFixture {
  readonly folder: string;
  readonly hosts: Hosts;
  readonly privateKey: string;
  host(index?: number): SshdHost;
  /** A fresh deploy path on a host. */
  deployPath(index?: number): string;
  work(changes?: Partial<HostWork> & { index?: number }): HostWork;
  /** A release whose archive holds these files. */
  release(
    deployPath: string,
    changes?: {
      version?: string;
      files?: Readonly<Record<string, string>>;
      /** Symbolic links by their names. */
      links?: Readonly<Record<string, string>>;
      settings?: Partial<HostSettings>;
    },
  ): Promise<HostRelease>;
  /** A release of an archive that exists. */
  releaseOf(
    deployPath: string,
    archive: string,
    settings?: Partial<HostSettings>,
  ): Promise<HostRelease>;
  stop(): Promise<void>;
}

let count = 0;

export async function startHostFixture(options: {
  hosts: number;
  config?: readonly string[];
}): Promise<HostFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'floy-hosts-'));
  const fleet = await startSshdFleet({ folder, ...options });
  const hosts = createHosts();
  const host = (index = 0): SshdHost => {
    const found = fleet.hosts[index];
    if (found === undefined) throw new Error(`no host ${index}`);
    return found;
  };
  const releaseOf: HostFixture['releaseOf'] = async (deployPath, archive, settings = {}) => {
    count += 1;
    const sha256 = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    const { size } = await stat(archive);
    return {
      releaseDir: `v1-rel_${count}`,
      version: 'v1',
      artifact: { sha256, size, open: () => createReadStream(archive) },
      filesAt: 1_700_000_000 + count,
      settings: settingsFor(deployPath, settings),
    };
  };
  return {
    folder,
    hosts,
    privateKey: fleet.privateKey,
    host,
    deployPath(index = 0) {
      count += 1;
      return join(host(index).folder, `app ${count}'s`);
    },
    work({ index = 0, ...changes } = {}) {
      const { port, user } = host(index);
      count += 1;
      return {
        id: `rel_${count}`,
        installation: 'floy-one',
        epoch: BigInt(1_700_000_000_000 + count),
        connection: { host: '127.0.0.1', port, user, privateKey: fleet.privateKey },
        retryCount: 3,
        connectMs: 30_000,
        verifyHostKey: async () => {},
        beforeStep: async () => {},
        signal: new AbortController().signal,
        redactor: createRedactor(),
        log: () => {},
        ...changes,
      };
    },
    async release(deployPath, changes = {}) {
      const { version = 'v1', files = { 'app.txt': version }, links = {}, settings } = changes;
      count += 1;
      const source = join(folder, `source-${count}`);
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(source, name)), { recursive: true });
        await writeFile(join(source, name), text);
      }
      for (const [name, target] of Object.entries(links)) await symlink(target, join(source, name));
      const archive = `${source}.tar.gz`;
      // As Floy packs: one constant time.
      execFileSync('tar', ['--mtime=@0', '-czf', archive, '-C', source, '.']);
      const made = await releaseOf(deployPath, archive, settings);
      return { ...made, version, releaseDir: `${version}-rel_${count}` };
    },
    releaseOf,
    async stop() {
      hosts.close();
      await fleet.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function settingsFor(deployPath: string, changes: Partial<HostSettings>): HostSettings {
  return {
    serviceName: 'app',
    deployPath,
    restartCommand: 'echo "restart $FLOY_VERSION" >>../../ledger',
    statusCommand: 'true',
    preSwitchRunOnce: false,
    health: { from: 'host', timeoutSeconds: 5, minHealthySeconds: 0 },
    environment: {},
    secretValues: [],
    sharedPaths: [],
    transfer: 'push',
    keepReleases: 5,
    timeoutSeconds: 30,
    ...changes,
  };
}

/** Waits for what becomes true, looking every 10 ms. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`never came true: ${look.toString()}`);
    await delay(10);
  }
}

/** The text of a file; empty while there is none. */
export function textOf(...path: string[]): Promise<string> {
  return readFile(join(...path), 'utf8').catch(() => '');
}

/** A promise's error, for a step that is left to fail later. */
export function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  );
}

/** Processes of a group that have not ended; zombies, which nobody reaps in some containers, have. */
export async function livingInGroup(group: number): Promise<number[]> {
  const living: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await textOf('/proc', entry, 'stat');
    const [state, , ofGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(ofGroup) === group && state !== 'Z') living.push(Number(entry));
  }
  return living;
}

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startSshdFleet, type SshdHost } from '@floy/local-servers/sshd';
import type { Bench } from '../bench.js';
import type { Figure } from '../figure.js';
import { processorSeconds, processorSecondsOf } from '../processor-time.js';
import { makeRepository } from '../repository.js';
import { median, percentile } from '../samples.js';
import { firstContact, type FirstContactSeen } from './first-contact.js';
import { parallelOpenSsh } from './openssh.js';

const execute = promisify(execFile);

/** How much goes to each host. Bytes that cannot be compressed. */
const SIZE = 1_000_000;
/** The peer is tried with each of these, and its best counts. */
const AT_ONCE = [8, 16];
/** How long the hosts take to end a connection. Milliseconds. */
const ENDING_MS = 1000;
/** The slowest read of a hundred may take this long. Milliseconds. */
const READ_LIMIT_MS = 250;

/**
 * All hosts at once by a Floy that has never seen them, beside parallel OpenSSH with tar on the same
 * hosts by fresh connections, in turns.
 */
export const benchSshFirst: Bench = async (run) => {
  run.say(`Starting ${run.hosts} hosts`);
  const fleet = await startSshdFleet({ folder: join(run.folder, 'hosts'), hosts: run.hosts });
  run.onEnd(() => fleet.stop());
  const data = randomBytes(SIZE);
  const repository = await makeRepository(join(run.folder, 'repository'), { data });
  const archive = join(run.folder, 'archive.tar.gz');
  const packed = join(run.folder, 'packed');
  await mkdir(packed);
  await writeFile(join(packed, 'data'), data);
  await execute('tar', ['-czf', archive, '-C', packed, 'data']);

  const floys: FirstContactSeen[] = [];
  let connections = 0;
  const used = { peer: Number.POSITIVE_INFINITY, floy: 0 };
  const peers: { atOnce: number; seconds: number }[] = [];
  for (let turn = 1; turn <= run.runs; turn += 1) {
    for (const atOnce of AT_ONCE) {
      const folder = join(run.folder, `openssh-${turn}`);
      const before = await processorTime(fleet.hosts);
      const seconds = await parallelOpenSsh(fleet, { folder, archive, atOnce });
      used.peer = Math.min(used.peer, (await processorTime(fleet.hosts)) - before);
      run.say(`Run ${turn}: OpenSSH, ${atOnce} at once: ${seconds.toFixed(1)} s`);
      peers.push({ atOnce, seconds });
    }
    const folder = join(run.folder, `floy-${turn}`);
    await mkdir(folder);
    const before = await connectionsTo(fleet.hosts);
    const workedBefore = await processorTime(fleet.hosts);
    const seen = await firstContact({
      ...{ folder, repository, hosts: fleet, nodeOptions: run.nodeOptions },
    });
    used.floy +=
      (seen.processorSeconds + (await processorTime(fleet.hosts)) - workedBefore) / run.runs;
    connections += (await connectionsTo(fleet.hosts)) - before;
    await rm(folder, { recursive: true });
    run.say(`Run ${turn}: Floy: ${seen.seconds.toFixed(1)} s, ${seen.status} ${seen.reason}`);
    floys.push(seen);
  }
  return { figures: figuresOf(floys, peers), notes: notesOf(run.hosts, floys, connections, used) };
};

/** What the hosts' servers and the programs of the peer have used, once they have ended. */
async function processorTime(hosts: readonly SshdHost[]): Promise<number> {
  await wait(ENDING_MS);
  const [servers, own] = await Promise.all([
    processorSecondsOf(hosts.map(({ pid }) => pid ?? 0)),
    processorSeconds(process.pid),
  ]);
  return servers + own;
}

/** How many connections the hosts have seen, also those that were given up. */
async function connectionsTo(hosts: readonly SshdHost[]): Promise<number> {
  let seen = 0;
  for (const { logFile } of hosts) {
    seen += (await readFile(logFile, 'utf8')).match(/^Connection from /gm)?.length ?? 0;
  }
  return seen;
}

function figuresOf(
  floys: readonly FirstContactSeen[],
  peers: readonly { atOnce: number; seconds: number }[],
): Figure[] {
  const best = AT_ONCE.map((atOnce) => ({
    atOnce,
    seconds: median(peers.filter((each) => each.atOnce === atOnce).map(({ seconds }) => seconds)),
  })).reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const seconds = median(floys.map((each) => each.seconds));
  const reads = floys.flatMap((each) => each.reads.milliseconds);
  const read = (share: number): Figure => {
    const value = percentile(reads, share);
    return {
      ...{ bench: 'ssh-first', figure: `read of the API p${share * 100}`, value, unit: 'ms' },
      ...{ against: `at most ${READ_LIMIT_MS} ms`, ratio: value / READ_LIMIT_MS },
    };
  };
  const peak = Math.max(...floys.map(({ peakMegabytes }) => peakMegabytes));
  const bare = { bench: 'ssh-first', against: '', ratio: null };
  return [
    {
      ...{ bench: 'ssh-first', figure: 'all hosts, first contact', value: seconds, unit: 's' },
      against: `OpenSSH, ${best.atOnce} at once, ${best.seconds.toFixed(1)} s`,
      ratio: seconds / best.seconds,
    },
    read(0.5),
    read(0.99),
    { ...bare, figure: 'most memory of Floy', value: peak, unit: 'MB' },
  ];
}

function notesOf(
  hosts: number,
  floys: readonly FirstContactSeen[],
  connections: number,
  used: { readonly peer: number; readonly floy: number },
): string[] {
  const sum = (count: (seen: FirstContactSeen) => number): number =>
    floys.reduce((total, seen) => total + count(seen), 0);
  const failures = new Set(floys.flatMap(({ reads }) => reads.failures));
  return [
    `${hosts} hosts, ${floys.length} runs: ${sum(({ status }) => Number(status === 'success'))} succeeded.`,
    `Processor time of a run: OpenSSH ${used.peer.toFixed(1)} s, Floy ${used.floy.toFixed(1)} s, hosts included.`,
    `Of it Floy and its servers: ${(sum(({ processorSeconds }) => processorSeconds) / floys.length).toFixed(1)} s.`,
    `Connections of Floy's to each host: ${(connections / hosts / floys.length).toFixed(2)}.`,
    `Lost log lines: ${sum(({ lost }) => lost.lines)}; pieces said to be lost: ${sum(({ lost }) => lost.pieces)}.`,
    `Reads: ${sum(({ reads }) => reads.milliseconds.length)}, of them not answered: ${sum(({ reads }) => reads.failures.length)}.`,
    ...failures,
  ];
}

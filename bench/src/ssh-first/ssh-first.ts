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
import { firstContact, RESTART, type FirstContactSeen } from './first-contact.js';
import { inOnePass, inTwoPasses, parallelOpenSsh } from './openssh.js';

const execute = promisify(execFile);

/** How much goes to each host. Bytes that cannot be compressed. */
const SIZE = 1_000_000;
/** The peer is tried with each of these, and its best counts. */
const AT_ONCE = [8, 16];
/** What of a rollout the peer does; see `openssh.ts`. */
const WAYS = [
  { way: 'one pass', passes: inOnePass },
  { way: 'two passes', passes: inTwoPasses },
] as const;
type Way = (typeof WAYS)[number]['way'];
/** Processor seconds of a run. */
type Used = Record<Way | 'floy', number>;
interface PeerSeen {
  readonly way: Way;
  readonly atOnce: number;
  readonly seconds: number;
}
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
  const used: Used = { 'one pass': Infinity, 'two passes': Infinity, floy: 0 };
  const peers: PeerSeen[] = [];
  for (let turn = 1; turn <= run.runs; turn += 1) {
    for (const { way, passes } of WAYS) {
      for (const atOnce of AT_ONCE) {
        const work = { folder: join(run.folder, 'openssh'), archive, restart: RESTART, atOnce };
        const before = await processorTime(fleet.hosts);
        const seconds = await parallelOpenSsh(fleet, work, passes(work));
        used[way] = Math.min(used[way], (await processorTime(fleet.hosts)) - before);
        run.say(`Run ${turn}: OpenSSH in ${way}, ${atOnce} at once: ${seconds.toFixed(1)} s`);
        peers.push({ way, atOnce, seconds });
      }
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

/** The best median of one way of the peer's. */
function bestOf(peers: readonly PeerSeen[], way: Way): PeerSeen {
  const medians = AT_ONCE.map((atOnce) => {
    const of = peers.filter((each) => each.way === way && each.atOnce === atOnce);
    return { way, atOnce, seconds: median(of.map(({ seconds }) => seconds)) };
  });
  return medians.reduce((a, b) => (b.seconds < a.seconds ? b : a));
}

function figuresOf(floys: readonly FirstContactSeen[], peers: readonly PeerSeen[]): Figure[] {
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
    ...WAYS.map(({ way }): Figure => {
      const best = bestOf(peers, way);
      return {
        ...{ bench: 'ssh-first', figure: 'all hosts, first contact', value: seconds, unit: 's' },
        against: `OpenSSH in ${way}, ${best.atOnce} at once, ${best.seconds.toFixed(1)} s`,
        ratio: seconds / best.seconds,
      };
    }),
    read(0.5),
    read(0.99),
    { ...bare, figure: 'most memory of Floy', value: peak, unit: 'MB' },
  ];
}

function notesOf(
  hosts: number,
  floys: readonly FirstContactSeen[],
  connections: number,
  used: Used,
): string[] {
  const sum = (count: (seen: FirstContactSeen) => number): number =>
    floys.reduce((total, seen) => total + count(seen), 0);
  const failures = new Set(floys.flatMap(({ reads }) => reads.failures));
  return [
    `${hosts} hosts, ${floys.length} runs: ${sum(({ status }) => Number(status === 'success'))} succeeded.`,
    `Processor time of a run: OpenSSH ${WAYS.map(({ way }) => `${used[way].toFixed(1)} s in ${way}`).join(', ')}, Floy ${used.floy.toFixed(1)} s, hosts included.`,
    `Of it Floy and its servers: ${(sum(({ processorSeconds }) => processorSeconds) / floys.length).toFixed(1)} s.`,
    `Connections of Floy's to each host: ${(connections / hosts / floys.length).toFixed(2)}.`,
    `Lost log lines: ${sum(({ lost }) => lost.lines)}; pieces said to be lost: ${sum(({ lost }) => lost.pieces)}.`,
    `Reads: ${sum(({ reads }) => reads.milliseconds.length)}, of them not answered: ${sum(({ reads }) => reads.failures.length)}.`,
    ...failures,
  ];
}

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@floy/testing/wait-for';
import type { Bench } from '../bench.js';
import type { Figure } from '../figure.js';
import { startFloy } from '../floy-process.js';
import { median, percentile } from '../samples.js';
import { prepareFloor, type FloorTimes } from './floor.js';
import { createPoster } from './post.js';
import { startServers, type SharedServers } from './servers.js';
import { setStage } from './stage.js';
import { describeWays, wayOf, type Way } from './way.js';

const WARM_UP = 25;

interface Dispatched {
  readonly toFirstByte: number;
  readonly toAnswer: number;
  readonly way: Way;
}

/**
 * From a POST of a deployment to the first byte on the host's SSH socket, where nothing has to be
 * built: the artifact is there and the host is known. In turns with the floor, one after the other.
 */
export const benchDispatch: Bench = async (run) => {
  const servers = await startServers(run);
  const token = `floy_pat_${randomBytes(32).toString('hex')}`;
  const home = join(run.folder, 'home');
  await mkdir(home);
  const floy = await startFloy(home, {
    env: {
      FLOY_DATABASE_URL: servers.postgresUrl,
      FLOY_REDIS_URL: servers.redisUrl,
      FLOY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      FLOY_ADMIN_TOKEN: token,
    },
    nodeOptions: run.nodeOptions,
  });
  run.onEnd(() => floy.stop());
  const access = { url: floy.address, token };
  const { wish, ssh } = await setStage(run, access);
  const poster = createPoster(access);
  run.onEnd(async () => poster.close());
  const floor = await prepareFloor(run, servers);

  async function dispatch(connection: 'cold' | 'warm'): Promise<Dispatched> {
    if (connection === 'cold') await ssh.endAll();
    const before = ssh.accepted;
    const piece = ssh.nextPiece();
    const { sentAt, posted } = poster.post('/api/v1/deployments', wish);
    const [{ id, answeredAt }, firstByteAt] = await Promise.all([posted, piece]);
    const way = await wayOf(servers.sql, id, { sentAt, firstByteAt });
    const made = ssh.accepted - before;
    if (made !== (connection === 'cold' ? 1 : 0)) {
      throw new Error(`${made} connections were made to a host that is ${connection}`);
    }
    await settled(servers, id);
    return { toFirstByte: firstByteAt - sentAt, toAnswer: answeredAt - sentAt, way };
  }

  run.say('Building the artifact');
  const { posted } = poster.post('/api/v1/deployments', wish);
  await settled(servers, (await posted).id);
  const cold: Dispatched[] = [];
  const warm: Dispatched[] = [];
  const floors: FloorTimes[] = [];
  run.say(`Deploying ${WARM_UP} + ${run.runs} times to a new connection and to a kept one`);
  for (let turn = -WARM_UP; turn < run.runs; turn += 1) {
    const results = [await dispatch('cold'), await dispatch('warm'), await floor()] as const;
    if (turn < 0) continue;
    cold.push(results[0]);
    warm.push(results[1]);
    floors.push(results[2]);
  }
  const close: FloorTimes[] = [];
  for (let turn = 0; turn < run.runs; turn += 1) close.push(await floor());
  return report(servers, cold, warm, floors, close);
};

/** Waits until a deployment has succeeded and nothing is left to do for it. */
async function settled({ sql }: SharedServers, id: string): Promise<void> {
  await waitFor(
    `${id} to be settled`,
    async () => {
      const { rows } = await sql.query<{ status: string; rest: number }>(
        `SELECT status, (SELECT count(*)::int FROM messages
           WHERE done_at IS NULL AND publish_at < clock_timestamp() + interval '1 minute') AS rest
         FROM deployments WHERE id = $1 AND settled_at IS NOT NULL`,
        [id],
      );
      const [row] = rows;
      if (row !== undefined && row.status !== 'success') throw new Error(`it is ${row.status}`);
      return row?.rest === 0;
    },
    { timeoutMs: 30_000, everyMs: 5 },
  );
}

function report(
  { versions }: SharedServers,
  cold: readonly Dispatched[],
  warm: readonly Dispatched[],
  floors: readonly FloorTimes[],
  close: readonly FloorTimes[],
) {
  const floorTotals = floors.map(({ total }) => total);
  const against = (name: string, samples: readonly number[], share: number): Figure => {
    const value = percentile(samples, share);
    const floor = percentile(floorTotals, share);
    const rank = `p${share * 100}`;
    return {
      ...{ bench: 'dispatch', figure: `${name} ${rank}`, value, unit: 'ms' },
      ...{ against: `floor ${rank}, ${floor.toFixed(2)} ms`, ratio: value / floor },
    };
  };
  const bare = (name: string, value: number): Figure => {
    return { bench: 'dispatch', figure: name, value, unit: 'ms', against: '', ratio: null };
  };
  const times = (all: readonly Dispatched[]) => all.map(({ toFirstByte }) => toFirstByte);
  const part = (name: keyof FloorTimes) => median(floors.map((each) => each[name]));
  return {
    figures: [
      against('first byte, new connection', times(cold), 0.5),
      against('first byte, new connection', times(cold), 0.99),
      against('first byte, kept connection', times(warm), 0.5),
      against('first byte, kept connection', times(warm), 0.99),
      bare('answer to the POST p50', median(cold.map(({ toAnswer }) => toAnswer))),
      bare('floor p50', median(floorTotals)),
      bare('floor p50, back to back', median(close.map(({ total }) => total))),
    ],
    notes: [
      `${versions}; ${cold.length} runs of each.`,
      '',
      'The way to the first byte, new connection (median of each part):',
      ...describeWays(cold.map(({ way }) => way)),
      '',
      'The floor (median of each part):',
      `  insert transaction ${part('insert').toFixed(2)} ms, three hops ${part('hops').toFixed(2)} ms, connect ${part('connect').toFixed(2)} ms`,
    ],
  };
}

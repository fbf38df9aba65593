import type pg from 'pg';
import { median } from '../samples.js';

/** The stations of a deployment on its way to a host, in order, each with what led to it. */
const stations = [
  ['POST: HTTP, token, checks, transaction', 'posted'],
  ['hop 1: commit, publish, queue, begin', 'start_began'],
  ['start-deployment: admission, snapshot', 'start_ended'],
  ['hop 2: commit, publish, queue, begin', 'plan_began'],
  ['start-workflow: plan, fold, release', 'plan_ended'],
  ['hop 3: commit, publish, queue, begin', 'claim_began'],
  ['stage-instance: lease, claim', 'claim_ended'],
  ['stage-instance: commit, load, connect', 'first_byte'],
] as const;

type Station = (typeof stations)[number][1];
/** How long each part of the way took. Milliseconds. */
export type Way = Readonly<Record<Station, number>>;

/**
 * Where the time went, by what Postgres' clock wrote into the deployment's own rows: a message is
 * inserted by the last statements of a transaction, and `now()` is when one began.
 *
 * Has to be asked before the instance is switched, which begins its clock anew.
 */
export async function wayOf(
  sql: pg.Client,
  deploymentId: string,
  { sentAt, firstByteAt }: { sentAt: number; firstByteAt: number },
): Promise<Way> {
  const { rows } = await sql.query<Record<Exclude<Station, 'first_byte'>, number>>(
    `SELECT
       ${millis("(SELECT created_at FROM messages WHERE kind = 'start-deployment' AND subject = d.id)")} AS posted,
       ${millis('d.started_at')} AS start_began,
       ${millis("(SELECT created_at FROM messages WHERE kind = 'start-workflow' AND subject = d.id)")} AS start_ended,
       ${millis('(SELECT min(scheduled_at) FROM tasks WHERE deployment_id = d.id)')} AS plan_began,
       ${millis("(SELECT created_at FROM messages WHERE kind = 'stage-instance' AND payload->>'deployment_id' = d.id)")} AS plan_ended,
       ${millis('(SELECT started_at FROM release_instances WHERE deployment_id = d.id)')} AS claim_began,
       ${millis("(SELECT at FROM events WHERE stream = d.id AND type = 'release.in_progress')")} AS claim_ended
     FROM deployments d WHERE id = $1`,
    [deploymentId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`there is no deployment ${deploymentId}`);
  const offset = await clockOffset(sql);
  let last = sentAt + offset;
  const way: Partial<Record<Station, number>> = {};
  for (const [, station] of stations) {
    const at = station === 'first_byte' ? firstByteAt + offset : row[station];
    way[station] = at - last;
    last = at;
  }
  return way as Way;
}

/** The median of each part, as lines of text. */
export function describeWays(ways: readonly Way[]): string[] {
  return stations.map(([what, station]) => {
    const parts = ways.map((way) => way[station]);
    return `  ${what.padEnd(42)} ${median(parts).toFixed(2).padStart(7)} ms`;
  });
}

/** What has to be added to `performance.now()` to get Postgres' clock, by the quickest of some looks. */
async function clockOffset(sql: pg.Client): Promise<number> {
  let best = { took: Infinity, offset: 0 };
  for (let look = 0; look < 5; look += 1) {
    const before = performance.now();
    const { rows } = await sql.query<{ at: number }>(`SELECT ${millis('clock_timestamp()')} AS at`);
    const took = performance.now() - before;
    if (took < best.took) best = { took, offset: (rows[0]?.at ?? 0) - before - took / 2 };
  }
  return best.offset;
}

function millis(time: string): string {
  return `extract(epoch FROM ${time})::float8 * 1000`;
}

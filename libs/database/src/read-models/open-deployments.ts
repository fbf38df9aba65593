import type { Knex } from 'knex';

/** Deployments that are not settled, of one status and phase. */
export interface OpenDeployments {
  readonly status: string;
  readonly phase: string;
  readonly count: number;
  /** Since the oldest of them was queued. */
  readonly oldestSeconds: number;
}

/** What is not settled, however old: an index holds just those. */
export async function countOpenDeployments(knex: Knex): Promise<OpenDeployments[]> {
  const { rows } = await knex.raw<{ rows: OpenDeployments[] }>(
    `SELECT status, phase, count(*)::int AS count,
            extract(epoch FROM clock_timestamp() - min(queued_at))::float8 AS "oldestSeconds"
     FROM deployments WHERE settled_at IS NULL GROUP BY status, phase`,
  );
  return rows;
}

import { NotFoundError } from '@floy/domain';
import type { Knex } from 'knex';

/**
 * The application that a service's name means in an environment: the one last released there under
 * that name, else the one whose config or name says so. Throws NotFoundError.
 */
export async function applicationOfService(
  knex: Knex,
  environmentId: string,
  service: string,
): Promise<string> {
  const { rows } = await knex.raw<{ rows: { id: string }[] }>(
    `SELECT id FROM (
       (SELECT application_id AS id, 1 AS rank FROM releases
        WHERE environment_id = ? AND service = ? ORDER BY releases.id DESC LIMIT 1)
       UNION ALL
       (SELECT id, 2 FROM applications WHERE config->>'service_name' = ? ORDER BY id LIMIT 1)
       UNION ALL
       (SELECT id, 3 FROM applications WHERE name = ?)
     ) AS found ORDER BY rank LIMIT 1`,
    [environmentId, service, service, service],
  );
  const [row] = rows;
  if (row !== undefined) return row.id;
  throw new NotFoundError(`There is no service ${service}`, { service: 'is not known here' });
}

/** The size of an artifact of the store. Throws NotFoundError. */
export async function artifactSize(knex: Knex, sha256: string): Promise<number> {
  const rows = (await knex('artifacts').where({ sha256 }).select('size')) as { size: number }[];
  const [row] = rows;
  if (row !== undefined) return Number(row.size);
  throw new NotFoundError(`There is no artifact ${sha256}`, { sha256: 'is not in the store' });
}

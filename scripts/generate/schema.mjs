import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase } from '../../libs/database/dist/database.js';
import { migrate } from '../../libs/database/dist/migrate.js';
import { startPostgres } from '../../libs/local-servers/dist/postgres.js';

/** The migrated schema as SQL, from Postgres' own catalogue. */
export async function schemaText(url) {
  if (url) return readSchema(url);
  const folder = await mkdtemp(join(tmpdir(), 'floy-schema-'));
  const server = await startPostgres({ folder, durable: false });
  try {
    return await readSchema(server.url);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function readSchema(url) {
  await migrate(url);
  const database = createDatabase({ url, applicationName: 'floy-generate', poolSize: 1 });
  try {
    const lines = async (sql) => (await database.knex.raw(sql)).rows.map(({ line }) => line);
    const parts = [
      '-- The schema after all migrations. Made by `npm run generate`; changes by hand are lost.',
      ...(await lines(sequences)),
      ...(await lines(tables)),
      ...(await lines(indexes)),
      ...(await lines(functions)),
      ...(await lines(triggers)),
    ];
    return `${parts.map((part) => part.trim()).join('\n\n')}\n`;
  } finally {
    await database.close();
  }
}

// What the migration tool keeps for itself.
const others = `relname NOT LIKE 'floy_migrations%' AND relnamespace = 'public'::regnamespace`;

const sequences = `
SELECT format('CREATE SEQUENCE %I AS %s;', c.relname, format_type(s.seqtypid, NULL)) AS line
FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid WHERE ${others} ORDER BY c.relname`;

// Constraints that a later server version also lists (NOT NULL) stand with their columns.
const tables = `
SELECT format(E'CREATE TABLE %I (\\n%s\\n);', c.relname, string_agg('  ' || part, E',\\n' ORDER BY place, number)) AS line
FROM pg_class c CROSS JOIN LATERAL (
  SELECT 1 AS place, a.attnum::int AS number,
    format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
      || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
      || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS part
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT 2, row_number() OVER (ORDER BY position(k.contype::text IN 'pufc'), k.conname)::int,
    format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c')
) parts
WHERE c.relkind = 'r' AND ${others} GROUP BY c.relname ORDER BY c.relname`;

const indexes = `
SELECT pg_get_indexdef(i.indexrelid) || ';' AS line
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.${others.replace(' AND ', ' AND c.')}
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
ORDER BY c.relname, x.relname`;

const functions = `
SELECT rtrim(pg_get_functiondef(p.oid), E'\\n') || ';' AS line FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname`;

const triggers = `
SELECT pg_get_triggerdef(t.oid) || ';' AS line FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND ${others} ORDER BY c.relname, t.tgname`;

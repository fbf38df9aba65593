import { join, resolve } from 'node:path';
import { readCheckpoint, writeCheckpoint } from '@floy/database/audit/audit-seal';
import { verifyAudit } from '@floy/database/audit/verify-audit';
import { createDatabase } from '@floy/database/database';
import { defaultHome } from '@floy/local-servers/default-home';
import { ownHome } from '@floy/local-servers/home-lock';
import { readIfThere } from '@floy/local-servers/kept-file';
import { startPostgres } from '@floy/local-servers/postgres';
import { createSealer, parseEncryptionKeys } from '@floy/secrets/sealing';
import { ConfigError } from '@floy/service-kit/config';
import { runService, type ServiceProcess } from '@floy/service-kit/run-service';
import { settings as all } from '@floy/service-kit/settings';
import { Type, type Static } from 'typebox';
import { env } from './config.js';
import { clone } from './clone.js';
import { inHome } from './home-problem.js';

const settings = Type.Object({
  FLOY_HOME: Type.Optional(all.FLOY_HOME),
  FLOY_DATABASE_URL: Type.Optional(all.FLOY_DATABASE_URL),
  FLOY_ENCRYPTION_KEY: Type.Optional(all.FLOY_ENCRYPTION_KEY),
});
type Settings = Static<typeof settings>;

const USAGE = 'npm run audit -- verify [<checkpoint>], a checkpoint like 17:5f0c…';

/**
 * `npm run audit -- verify`: whether the audit is as it was written. Of FLOY_DATABASE_URL, or of the
 * Postgres below FLOY_HOME, whether Floy runs on it or not. With a checkpoint that was kept
 * elsewhere also whether what it names is still there. Ends with 0 only if so.
 */
async function verify(
  { config, logger, shutdown }: ServiceProcess<Settings>,
  words: readonly string[],
): Promise<boolean> {
  const [action, kept, ...more] = words;
  const checkpoint = kept === undefined ? undefined : readCheckpoint(kept);
  if (action !== 'verify' || more.length > 0 || (kept !== undefined && checkpoint === undefined))
    throw new ConfigError({ arguments: `are ${USAGE}` });
  const needsHome =
    config.FLOY_DATABASE_URL === undefined || config.FLOY_ENCRYPTION_KEY === undefined;
  const home = resolve(config.FLOY_HOME ?? (await defaultHome(clone)));
  const folder = needsHome ? await inHome(home, () => ownHome(home)) : home;
  const keys =
    config.FLOY_ENCRYPTION_KEY ?? (await readIfThere(join(folder, 'encryption-key')))?.trim();
  if (keys === undefined)
    throw new ConfigError({ FLOY_ENCRYPTION_KEY: 'must be set: it is not in FLOY_HOME' });
  const server =
    config.FLOY_DATABASE_URL === undefined
      ? await startPostgres({ folder: join(folder, 'postgres'), signal: shutdown })
      : undefined;
  const url = config.FLOY_DATABASE_URL ?? server!.url;
  const database = createDatabase({ url, applicationName: 'floy-audit', poolSize: 1 });
  try {
    const sealer = createSealer(parseEncryptionKeys(keys));
    const { problems, head, ...counts } = await verifyAudit(database.knex, sealer, checkpoint);
    for (const problem of problems) logger.error(problem, 'A line of the audit');
    const fields = { ...counts, checkpoint: writeCheckpoint(head) };
    if (problems.length > 0) logger.error(fields, 'The audit was changed');
    else logger.info(fields, 'The audit is as it was written');
    return problems.length === 0;
  } finally {
    await database.close();
    // One that a running Floy has started goes on.
    if (server?.adopted === false) await server.stop();
  }
}

await runService({
  name: 'audit',
  settings,
  env,
  async start(started) {
    process.exit((await verify(started, process.argv.slice(2))) ? 0 : 1);
  },
});

import { migrate } from '@floy/database/migrate';
import { runService } from '@floy/service-kit/run-service';
import { coreSettings } from '@floy/service-kit/settings';
import { Type } from 'typebox';
import { env } from './config.js';

// Brings the database to this version's schema and ends: the first step of rolling out a fleet.
await runService({
  name: 'migrate',
  settings: Type.Object({ FLOY_DATABASE_URL: coreSettings.FLOY_DATABASE_URL }),
  env,
  async start({ config, logger }) {
    await migrate(config.FLOY_DATABASE_URL);
    logger.info({}, 'The database has the schema of this version');
    process.exit(0);
  },
});

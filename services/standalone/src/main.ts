import { runService } from '@floy/service-kit/run-service';
import { env, settings } from './config.js';
import { startStandalone } from './compose.js';

await runService({
  name: 'standalone',
  settings,
  env,
  start: (process) => startStandalone(process, env['PATH'] ?? ''),
});

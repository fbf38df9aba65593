import { runService } from '@floy/service-kit/run-service';
import { env, settings } from './config.js';
import { startStandalone } from './compose.js';
import { COMPOSITION_STOP_LIMIT_MS } from './stop-limit.js';

await runService({
  name: 'standalone',
  settings,
  env,
  stopLimitMs: COMPOSITION_STOP_LIMIT_MS,
  start: (process) => startStandalone(process, env['PATH'] ?? ''),
});

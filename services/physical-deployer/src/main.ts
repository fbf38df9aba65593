import { runService } from '@floy/service-kit/run-service';
import { openRuntime } from '@floy/service-kit/runtime';
import { compose } from './compose.js';
import { env, settings } from './config.js';

const name = 'physical-deployer';

await runService({
  name,
  settings,
  env,
  async start(process) {
    const runtime = await openRuntime(name, process.config, process);
    const service = await compose(runtime.deps, { artifacts: process.config.FLOY_ARTIFACTS });
    return {
      ready: runtime.ready,
      async stop() {
        await service.stop();
        await runtime.close();
      },
    };
  },
});

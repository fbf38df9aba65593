import { runService } from '@floy/service-kit/run-service';
import { openRuntime } from '@floy/service-kit/runtime';
import { compose } from './compose.js';
import { env, settings } from './config.js';

const name = 'build-runner';

await runService({
  name,
  settings,
  env,
  async start(process) {
    const { config } = process;
    const runtime = await openRuntime(name, config, process);
    const service = await compose(runtime.deps, {
      artifacts: config.FLOY_ARTIFACTS,
      buildUser: config.FLOY_BUILD_USER,
    });
    return {
      ready: runtime.ready,
      async stop() {
        await service.stop();
        await runtime.close();
      },
    };
  },
});

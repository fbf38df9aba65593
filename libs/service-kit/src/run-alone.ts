import type { Catalogues } from '@floy/contracts';
import type { Static, TObject } from 'typebox';
import type { Environment } from './config.js';
import { runService } from './run-service.js';
import { openRuntime, type Runtime, type RuntimeConfig } from './runtime.js';
import type { RunningService } from './service.js';

/** A service that has a process to itself. */
export interface LoneService<S extends TObject> {
  readonly name: string;
  readonly settings: S;
  readonly env: Environment;
  readonly catalogues: Catalogues;
  compose(runtime: Runtime, config: Static<S>): Promise<RunningService>;
}

/** Runs one service as a process: opens what it is composed from, and closes it after it. */
export async function runAlone<S extends TObject>(service: LoneService<S>): Promise<void> {
  const { name, settings, env, catalogues } = service;
  await runService({
    name,
    settings,
    env,
    async start(process) {
      const runtime = await openRuntime(name, process.config as RuntimeConfig, process, catalogues);
      const running = await service.compose(runtime, process.config);
      return {
        ready: async () => ({ ...(await runtime.ready()), ...(await running.ready?.()) }),
        async stop() {
          await running.stop();
          await runtime.close();
        },
      };
    },
  });
}

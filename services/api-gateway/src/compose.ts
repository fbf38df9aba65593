import { createTokenRepository } from '@floy/database/repositories/tokens';
import { pruneIdempotencyKeys } from '@floy/database/repositories/idempotency-keys';
import { pruneQuestions } from '@floy/database/repositories/questions';
import { openArtifactStore } from '@floy/service-kit/artifact-store';
import { listenProblem, type ListenAddress } from '@floy/service-kit/listen-problem';
import type { Checks } from '@floy/service-kit/ops-server';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { startAuditSealing } from './audit-sealing.js';
import type { GatewayConfig } from './config.js';
import { createGatewayApp } from './gateway-app.js';
import { listen } from './http-server.js';

/** The gateway at work. */
export interface RunningGateway extends RunningService {
  /** Its base URL on this machine. */
  readonly address: string;
}

/** How often what has served its time is removed. Milliseconds. */
const PRUNE_MS = 60_000;

/**
 * Starts the gateway. `ready` tells how the things are that the process depends on, for `/readyz`.
 * With FLOY_ADMIN_TOKEN that token is made an admin's, unless it was revoked.
 */
export async function compose(
  deps: ServiceDeps,
  config: GatewayConfig,
  ready: () => Promise<Checks>,
): Promise<RunningGateway> {
  const { database, logger } = deps;
  const shutdown = new AbortController();
  if (config.FLOY_ADMIN_TOKEN !== undefined) {
    deps.redactor.add([config.FLOY_ADMIN_TOKEN]);
    const admin = { name: 'admin', owner: 'admin', role: 'admin' } as const;
    await createTokenRepository(database.knex).ensure(config.FLOY_ADMIN_TOKEN, admin);
  }
  const artifacts = await artifactStore(deps.installation, config.FLOY_ARTIFACTS);
  const queues = [...deps.publisher.queues.values()].map(({ bullmq }) => bullmq);
  const streams = deps.metrics.gauge(
    'floy_live_streams',
    'Streams of live events that clients have open',
  );
  const app = createGatewayApp({
    ...deps,
    ...artifacts,
    queues,
    ready,
    streams,
    shutdown: shutdown.signal,
  });
  const at = addressOf(config);
  const server = await listen(app, at.host, at.port).catch((error: unknown) => {
    throw listenProblem(error, at);
  });
  const prune = setInterval(() => {
    Promise.all([pruneIdempotencyKeys(database.knex), pruneQuestions(database.knex)]).catch(
      (error: unknown) => logger.warn({ err: error }, 'Old rows could not be removed'),
    );
  }, PRUNE_MS);
  const sealing = startAuditSealing(database, deps.sealer, logger);
  logger.info({ address: server.address }, 'Serving the API');
  return {
    address: server.address,
    async stop() {
      clearInterval(prune);
      shutdown.abort();
      await server.close();
      await sealing.stop();
    },
  };
}

/** Where the API is to be served. */
export function addressOf(config: Pick<GatewayConfig, 'FLOY_HOST' | 'FLOY_PORT'>): ListenAddress {
  const { FLOY_HOST: host, FLOY_PORT: port } = config;
  return { host, port, hostSetting: 'FLOY_HOST', portSetting: 'FLOY_PORT' };
}

async function artifactStore(installation: string, folder: string | undefined) {
  return folder === undefined ? {} : { artifacts: await openArtifactStore(folder, installation) };
}

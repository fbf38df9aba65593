import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { createReachability } from '@floy/database/read-models/reachability';
import { createTokenRepository, type TokenHolder } from '@floy/database/repositories/tokens';
import { createHttpApp } from '@floy/service-kit/http-app';
import { mountDocs } from '@floy/service-kit/http-docs';
import type { Checks } from '@floy/service-kit/ops-server';
import type { Logger } from '@floy/service-kit/logger';
import type { RequestListener } from 'node:http';
import { authorize } from './authorize.js';
import { mountBoard, type BoardQueue } from './routes/board.js';
import { mountHealth } from './routes/health.js';
import { createTokenGuard } from './routes/rate-limit.js';
import { createShares } from './routes/shares.js';
import { BASE_PATH, routeTable } from './routes/table.js';
import { runRequest } from './run-request.js';
import type { GatewayDeps, Scope } from './scope.js';

export interface GatewayAppDeps extends GatewayDeps {
  readonly logger: Logger;
  readonly queues: readonly BoardQueue[];
  readonly ready: () => Promise<Checks>;
  readonly shutdown: AbortSignal;
  /** Told when a stream of live events begins and ends. */
  readonly streams?: { inc(): void; dec(): void };
  /** Fail answers that do not fit their schema; for tests. */
  readonly checkAnswers?: boolean;
}

/** Everything that the gateway serves. */
export function createGatewayApp(deps: GatewayAppDeps): RequestListener {
  const { database } = deps;
  const tokens = createTokenRepository(database.knex);
  const guardTokens = createTokenGuard();
  const enterShare = createShares();
  const { whileReachable } = createReachability(database);
  const require = createRequire(import.meta.url);
  return createHttpApp<Scope, TokenHolder>({
    routes: routeTable,
    basePath: BASE_PATH,
    log: deps.logger,
    shutdown: deps.shutdown,
    streams: deps.streams,
    checkAnswers: deps.checkAnswers,
    authorize: (route, request) =>
      whileReachable(
        authorize(route.role, request, (secret) =>
          guardTokens(request, secret, tokens.authenticate),
        ),
      ),
    enter: ({ id }) => enterShare(id),
    run: (route, exchange, input, bytes) =>
      whileReachable(runRequest(deps, route, exchange, input, bytes)),
    mount(app) {
      mountHealth(app, deps.ready);
      app.get('/', (_request, response) => response.redirect(`${BASE_PATH}/docs`));
      mountDocs(app, {
        path: `${BASE_PATH}/docs`,
        documentPath: `${BASE_PATH}/openapi.json`,
        assets: dirname(require.resolve('swagger-ui-dist/package.json')),
      });
      mountBoard(app, database, deps.queues, guardTokens);
    },
  });
}

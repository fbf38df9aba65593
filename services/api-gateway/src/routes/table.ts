import { apiText } from '@floy/contracts';
import { Type } from 'typebox';
import { openApiOf } from '@floy/service-kit/http-openapi';
import type { Route } from '@floy/service-kit/http-route';
import type { Scope } from '../scope.js';
import { applicationRoutes } from './applications.js';
import { artifactRoutes } from './artifacts.js';
import { deploymentStateRoutes } from './deployment-state.js';
import { deploymentRoutes } from './deployments.js';
import { environmentRoutes } from './environments.js';
import { hostRoutes } from './hosts.js';
import { route } from './route.js';
import { taskRoutes } from './tasks.js';
import { tokenRoutes } from './tokens.js';
import { versionRoutes } from './versions.js';
import { workflowRoutes } from './workflows.js';

/** Stands before every path of the table. */
export const BASE_PATH = '/api/v1';

const info = {
  title: 'Floy',
  version: '0.1.0',
  description: [
    'Continuous deployment to clusters and plain hosts, and the truth of what runs.',
    '',
    'To try it here, press **Authorize** and paste a token: the first one is in the file that',
    '`npm start` names. Make a version, an application and an environment, and with their ids a',
    'deployment; `/deployments/{id}/events` tells what becomes of it. Each body begins with an',
    'example, and `config` has all keys with their meaning and default in its schema.',
  ].join('\n'),
};

const documentRoute: Route<Scope> = route({
  method: 'GET',
  path: '/openapi.json',
  role: 'anyone',
  summary: 'This document',
  tag: 'Documentation',
  answer: Type.Object({}),
  handle: async () => ({ body: openApiDocument() }),
});

/** Every route of the API: the one source of validation, rights, documentation and handlers. */
export const routeTable: readonly Route<Scope>[] = [
  ...versionRoutes,
  ...applicationRoutes,
  ...environmentRoutes,
  ...deploymentRoutes,
  ...deploymentStateRoutes,
  ...workflowRoutes,
  ...taskRoutes,
  ...hostRoutes,
  ...artifactRoutes,
  ...tokenRoutes,
  documentRoute,
];

/** The OpenAPI 3.1 document of the table. */
export function openApiDocument(): Record<string, unknown> {
  return openApiOf(routeTable, info, BASE_PATH, apiText);
}

import { ErrorResponse } from '@floy/contracts';
import type { TSchema } from 'typebox';
import type { Route } from './http-route.js';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of a table of routes: the same schemas that validate. */
export function openApiOf<Scope>(
  routes: readonly Route<Scope>[],
  info: { title: string; version: string; description: string },
  basePath: string,
): Json {
  const schemas: Record<string, Json> = {};
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: basePath }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'floy_pat_…' } },
    },
  };
}

function operation<Scope>(route: Route<Scope>, schemas: Record<string, Json>): Json {
  const error = content(named(ErrorResponse, schemas));
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    ...(route.role === 'anyone' ? { security: [] } : { 'x-floy-role': route.role }),
    parameters: [...pathParameters(route), ...queryParameters(route), ...headers(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { content: content(named(route.body, schemas)) } }),
    responses: {
      [String(route.status)]: {
        description: 'What was asked for',
        content: {
          ...(route.file === undefined
            ? content(named(route.answer, schemas))
            : { [route.file]: { schema: { type: 'string', format: 'binary' } } }),
          ...(route.streams ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
        },
      },
      default: { description: 'An error', content: error },
    },
  };
}

function operationId<Scope>(route: Route<Scope>): string {
  const words = route.path.replaceAll(/[{}]/g, '').split(/[/._-]/);
  const parts = [route.method.toLowerCase(), ...words.filter((word) => word !== '')];
  return parts
    .map((part, at) => (at === 0 ? part : part[0]!.toUpperCase() + part.slice(1)))
    .join('');
}

function pathParameters<Scope>(route: Route<Scope>): Json[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters<Scope>(route: Route<Scope>): Json[] {
  const { properties = {} } = (route.query ?? {}) as { properties?: Record<string, TSchema> };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: plain(schema),
  }));
}

function headers<Scope>(route: Route<Scope>): Json[] {
  if (route.method !== 'POST') return [];
  const schema = { type: 'string', minLength: 1, maxLength: 255 };
  return [{ name: 'Idempotency-Key', in: 'header', required: false, schema }];
}

function content(schema: Json): Json {
  return { 'application/json': { schema } };
}

/** A schema with a title becomes a component; it may hold others. */
function named(schema: TSchema, schemas: Record<string, Json>): Json {
  return replaced(plain(schema), schemas);
}

function replaced(schema: Json, schemas: Record<string, Json>): Json {
  const below = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, replacedValue(value, schemas)]),
  );
  const { title } = below;
  if (typeof title !== 'string' || below['type'] !== 'object') return below;
  schemas[title] = below;
  return { $ref: `#/components/schemas/${title}` };
}

function replacedValue(value: unknown, schemas: Record<string, Json>): unknown {
  if (Array.isArray(value)) return value.map((each) => replacedValue(each, schemas));
  return typeof value === 'object' && value !== null ? replaced(value as Json, schemas) : value;
}

/** The schema as JSON: what a schema builder hangs on it besides is not enumerable there. */
function plain(schema: TSchema): Json {
  return JSON.parse(JSON.stringify(schema)) as Json;
}

import { ErrorResponse, type ApiText, type SchemaText } from '@floy/contracts';
import type { TSchema } from 'typebox';
import type { Route } from './http-route.js';

type Json = Record<string, unknown>;

/** What the document is made with: the words beside the schemas, and the schemas named so far. */
interface Making {
  readonly text: ApiText;
  readonly schemas: Record<string, Json>;
}

/**
 * The OpenAPI 3.1 document of a table of routes: the same schemas that validate, with what `text`
 * says of them.
 */
export function openApiOf<Scope>(
  routes: readonly Route<Scope>[],
  info: { title: string; version: string; description: string },
  basePath: string,
  text: ApiText,
): Json {
  const schemas: Record<string, Json> = { ...text.components };
  const making = { text, schemas };
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route, making);
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: basePath }],
    tags: Object.entries(text.tags).map(([name, description]) => ({ name, description })),
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'floy_pat_…' } },
    },
  };
}

function operation<Scope>(route: Route<Scope>, making: Making): Json {
  const { text } = making;
  const isOpen = route.role === 'anyone';
  return {
    operationId: operationId(route),
    summary: route.summary,
    description: isOpen
      ? 'Needs no token.'
      : `Needs a token of the role ${route.role}${route.role === 'admin' ? '' : ' or above'}.`,
    tags: [route.tag],
    ...(isOpen ? { security: [] } : { 'x-floy-role': route.role }),
    parameters: [
      ...pathParameters(route, text),
      ...queryParameters(route, text),
      ...headers(route),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            description: textOf(route.body, text)?.description,
            content: content(route.body, making),
          },
        }),
    responses: {
      [String(route.status)]: {
        description: textOf(route.answer, text)?.description ?? route.summary,
        content: {
          ...(route.file === undefined
            ? content(route.answer, making)
            : { [route.file]: { schema: { type: 'string', format: 'binary' } } }),
          ...(route.streams ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
        },
      },
      default: { description: REFUSALS, content: content(ErrorResponse, making) },
    },
  };
}

const REFUSALS =
  'A refusal: 400 `INVALID_REQUEST` (`details` has every wrong field), 401 `UNAUTHORIZED` (no ' +
  'token that counts), 403 `FORBIDDEN` (the role of the token), 404 `RESOURCE_NOT_FOUND`, 409 ' +
  '`RESOURCE_CONFLICT` (there already, or its state does not allow this now), 429 ' +
  '`RATE_LIMITED`. Or a failure: 503 `SERVICE_UNAVAILABLE` (the same may work later), 500 ' +
  '`INTERNAL_ERROR` (the log has it under `request_id`).';

function operationId<Scope>(route: Route<Scope>): string {
  const words = route.path.replaceAll(/[{}]/g, '').split(/[/._-]/);
  const parts = [route.method.toLowerCase(), ...words.filter((word) => word !== '')];
  return parts
    .map((part, at) => (at === 0 ? part : part[0]!.toUpperCase() + part.slice(1)))
    .join('');
}

function pathParameters<Scope>(route: Route<Scope>, { fields }: ApiText): Json[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: fields[name],
    schema: { type: 'string' },
  }));
}

function queryParameters<Scope>(route: Route<Scope>, { fields }: ApiText): Json[] {
  const { properties = {} } = (route.query ?? {}) as { properties?: Record<string, TSchema> };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    description: fields[name],
    schema: plain(schema),
  }));
}

function headers<Scope>(route: Route<Scope>): Json[] {
  if (route.method !== 'POST') return [];
  const schema = { type: 'string', minLength: 1, maxLength: 255 };
  const description =
    'makes a repetition safe: for a day the same key with the same body gets the same answer';
  return [{ name: 'Idempotency-Key', in: 'header', required: false, description, schema }];
}

function textOf(schema: TSchema, text: ApiText): SchemaText | undefined {
  const { title } = schema as { title?: string };
  return title === undefined ? undefined : text.schemas[title];
}

/** A schema with real values of it; the page offers them by their names where there are more. */
function content(schema: TSchema, making: Making): Json {
  const values = Object.entries(textOf(schema, making.text)?.examples ?? {});
  const [first] = values;
  const examples =
    values.length > 1
      ? { examples: Object.fromEntries(values.map(([name, value]) => [name, { value }])) }
      : first && { example: first[1] };
  return { 'application/json': { schema: replaced(plain(schema), making), ...examples } };
}

/** A schema with a title becomes a component; it may hold others. */
function replaced(schema: Json, making: Making): Json {
  const below = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, replacedValue(value, making)]),
  );
  const { title } = below;
  if (typeof title !== 'string' || below['type'] !== 'object') return below;
  making.schemas[title] = described(title, below, making.text);
  return refTo(title);
}

function replacedValue(value: unknown, making: Making): unknown {
  if (Array.isArray(value)) return value.map((each) => replacedValue(each, making));
  return typeof value === 'object' && value !== null ? replaced(value as Json, making) : value;
}

/** A component with the meaning of each of its fields, and the shapes of what is open in it. */
function described(title: string, schema: Json, { schemas, fields }: ApiText): Json {
  const own = schemas[title];
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  const withText = properties.map(([name, property]): [string, Json] => {
    const shapes = own?.shapes?.[name];
    const shaped = shapes === undefined ? property : { anyOf: shapes.map(refTo) };
    const description = own?.fields?.[name] ?? fields[name];
    return [name, description === undefined ? shaped : { ...shaped, description }];
  });
  return {
    ...schema,
    ...(own && { description: own.description }),
    properties: Object.fromEntries(withText),
  };
}

function refTo(title: string): Json {
  return { $ref: `#/components/schemas/${title}` };
}

/** The schema as JSON: what a schema builder hangs on it besides is not enumerable there. */
function plain(schema: TSchema): Json {
  return JSON.parse(JSON.stringify(schema)) as Json;
}

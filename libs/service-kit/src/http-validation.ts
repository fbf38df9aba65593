import { InvalidRequestError, textOfProblems } from '@floy/domain';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';
import { refuseText } from './http-body.js';

/** Checks that name every wrong field, and checks that end at the first. */
const every = checks(true);
const first = checks(false);
/** Of more bytes only the first wrong field is named: naming a hundred thousand takes minutes. */
const MOST_BYTES = 64 * 1024;

/**
 * Refuses what does not fit the schema, with every wrong field and its reason; fills in defaults.
 * `bytes` is how long the value was as it was sent. Throws InvalidRequestError.
 */
export function validate(schema: TSchema, value: unknown, what: string, bytes = 0): void {
  const check = bytes > MOST_BYTES ? first(schema) : every(schema);
  if (check(value)) return;
  const details = reasons(check.errors ?? []);
  throw new InvalidRequestError(`${what} is invalid: ${textOfProblems(details)}`, details);
}

/** Why an answer does not fit its schema, or undefined. For tests. */
export function misfit(schema: TSchema, value: unknown): string | undefined {
  const check = every(schema);
  return check(value) ? undefined : JSON.stringify(reasons(check.errors ?? []));
}

/**
 * Reads a query string by its schema: numbers and booleans are text there.
 * Throws InvalidRequestError on parameters that are unknown, repeated or of the wrong kind.
 */
export function readQuery(schema: TSchema, query: URLSearchParams): Record<string, unknown> {
  const { properties = {} } = schema as { properties?: Record<string, TSchema & Typed> };
  const values: Record<string, unknown> = {};
  for (const [name, text] of query) {
    refuseText(text, name);
    if (Object.hasOwn(values, name)) {
      throw new InvalidRequestError(`The query gives ${name} twice`, { [name]: 'is given twice' });
    }
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
    values[name] = fromText(type, text);
  }
  validate(schema, values, 'The query');
  return values;
}

interface Typed {
  readonly type?: unknown;
}

function fromText(type: unknown, text: string): unknown {
  if (type === 'integer' && /^-?\d{1,12}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function checks(allErrors: boolean): (schema: TSchema) => ValidateFunction {
  const ajv = new Ajv2020({ allErrors, strict: false, useDefaults: true, verbose: true });
  addFormats.default(ajv);
  const compiled = new WeakMap<TSchema, ValidateFunction>();
  return (schema) => {
    const check = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, check);
    return check;
  };
}

function reasons(errors: readonly ErrorObject[]): Record<string, string> {
  const details: Record<string, string> = {};
  for (const error of errors) {
    const path = fieldPath(error);
    details[path] ??= reason(error);
  }
  return details;
}

/** `/config/hosts/0/port` becomes `config.hosts[0].port`; a missing or unknown field is named. */
function fieldPath(error: ErrorObject): string {
  const parts = error.instancePath.split('/').slice(1);
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  const named = params.missingProperty ?? params.additionalProperty;
  if (named !== undefined) parts.push(named.replaceAll('~', '~0').replaceAll('/', '~1'));
  const path = parts
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((before, part) => {
      if (/^\d+$/.test(part)) return `${before}[${part}]`;
      return before === '' ? part : `${before}.${part}`;
    }, '');
  return path === '' ? 'body' : path;
}

function reason(error: ErrorObject): string {
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not known';
    case 'enum':
      return `must be one of ${(error.schema as unknown[]).join(', ')}`;
    case 'minLength':
      return 'must not be empty';
    case 'minItems':
      return `must hold at least ${String(error.schema)}`;
    case 'uniqueItems':
      return 'must not repeat an item';
    case 'format':
      return `must be a ${String(error.schema)}`;
    case 'pattern': {
      const described = (error.parentSchema as { description?: string } | undefined)?.description;
      return `must be ${described ?? `like ${String(error.schema)}`}`;
    }
    default:
      return error.message ?? 'is wrong';
  }
}

import { Type, type TSchema } from 'typebox';

/** Receives each problem as the path of the value and the reason it was refused. */
export type Report = (path: string, reason: string) => void;

/**
 * How the value of a config key is written. `read` takes numbers and booleans also as text, because
 * the configs of the API are often maps of strings; it answers undefined after it has reported.
 */
export interface ValueKind<T> {
  readonly schema: TSchema;
  read(value: unknown, path: string, report: Report): T | undefined;
}

/** Text of one or more characters; `check` answers a reason to refuse it. */
export function text(check?: (value: string) => string | undefined): ValueKind<string> {
  return {
    schema: Type.String({ minLength: 1 }),
    read(value, path, report) {
      if (typeof value !== 'string') return void report(path, 'must be text');
      const reason = value.trim() === '' ? 'must not be empty' : check?.(value);
      return reason === undefined ? value : void report(path, reason);
    },
  };
}

/** A whole number, or the same as text. */
export function whole(min: number, max: number): ValueKind<number> {
  const expected = `must be a whole number from ${min} to ${max}`;
  return {
    schema: Type.Union([Type.Integer({ minimum: min, maximum: max }), numberText]),
    read(value, path, report) {
      const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
      const fits = typeof number === 'number' && Number.isInteger(number);
      return fits && number >= min && number <= max ? number : void report(path, expected);
    },
  };
}
const numberText = Type.String({ pattern: '^\\d{1,15}$' });

/** true or false, or the same as text. */
export const flag: ValueKind<boolean> = {
  schema: Type.Union([Type.Boolean(), Type.Enum(['true', 'false'], { type: 'string' })]),
  read(value, path, report) {
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    return void report(path, 'must be true or false');
  },
};

/** One of a closed set of words. */
export function oneOf<const W extends string>(words: readonly W[]): ValueKind<W> {
  return {
    schema: Type.Enum([...words], { type: 'string' }),
    read(value, path, report) {
      const word = words.find((each) => each === value);
      return word ?? void report(path, `must be one of ${words.join(', ')}`);
    },
  };
}

/** So many items, or names, are read of one key: what is wrong with each is part of the answer. */
const MOST_ITEMS = 10_000;
const tooMany = `must hold at most ${MOST_ITEMS}`;

/** A list, or text with one item a line or separated by commas. */
export function listOf<T>(item: ValueKind<T>): ValueKind<readonly T[]> {
  return {
    schema: Type.Union([Type.Array(item.schema), Type.String()]),
    read(value, path, report) {
      const items = typeof value === 'string' ? splitList(value) : value;
      if (!Array.isArray(items)) return void report(path, 'must be a list');
      if (items.length > MOST_ITEMS) return void report(path, tooMany);
      const read: T[] = [];
      for (const [index, each] of items.entries()) {
        const one = item.read(each, `${path}[${index}]`, report);
        if (one !== undefined) read.push(one);
      }
      return read.length === items.length ? read : undefined;
    },
  };
}

function splitList(value: string): string[] {
  const parts = value.split(/[,\n]/).map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Names of environment variables with values: an object, or text with `NAME=value` a line. */
export const variables: ValueKind<Readonly<Record<string, string>>> = {
  schema: Type.Union([
    Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    Type.String(),
  ]),
  read(value, path, report) {
    const entries = typeof value === 'string' ? lines(value, path, report) : entriesOf(value);
    if (entries === undefined) return void report(path, 'must map names to values');
    if (entries.length > MOST_ITEMS) return void report(path, tooMany);
    const read: Record<string, string> = {};
    let sound = true;
    for (const [name, each] of entries) {
      const reason = variableProblem(name, each);
      if (reason === undefined) read[name] = String(each);
      else {
        sound = false;
        report(`${path}.${name}`, reason);
      }
    }
    return sound ? read : undefined;
  },
};

function variableProblem(name: string, value: unknown): string | undefined {
  if (!environmentName.test(name) || name === '__proto__') {
    return 'must be named by letters, digits and _, not beginning with a digit';
  }
  if (name.startsWith('FLOY_')) return 'names that begin with FLOY_ are set by Floy';
  const scalar = ['string', 'number', 'boolean'].includes(typeof value);
  if (!scalar) return 'must be text';
  return String(value).includes('\0') ? 'must not hold a NUL character' : undefined;
}

function lines(value: string, path: string, report: Report): [string, string][] {
  const entries: [string, string][] = [];
  let wrong: number | undefined;
  for (const [index, line] of value.split('\n').entries()) {
    if (line.trim() === '') continue;
    const at = line.indexOf('=');
    if (at > 0) entries.push([line.slice(0, at).trim(), line.slice(at + 1)]);
    else wrong ??= index + 1;
  }
  if (wrong !== undefined) report(path, `line ${wrong} is not NAME=value`);
  return entries;
}

function entriesOf(value: unknown): [string, unknown][] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value);
}

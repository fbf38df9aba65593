import { batchSizes, failureBudget, messageOf } from '@floy/domain';
import { Type } from 'typebox';
import type { ValueKind } from './value-kinds.js';

/** `1`, `"30%"`, or growing `"1,30%,100%"`, as the domain's `batchSizes` reads it. */
export const batchSize: ValueKind<string> = {
  schema: Type.Union([
    Type.Integer({ minimum: 1, maximum: 999_999 }),
    Type.String({ pattern: '^\\s*\\d{1,6}%?\\s*(,\\s*\\d{1,6}%?\\s*)*$' }),
  ]),
  read: (value, path, report) => tried(value, path, report, (text) => batchSizes(1, text)),
};

/** How many failures are tolerated: `0`, `2`, `"10%"` of the whole release. */
export const failureShare: ValueKind<string> = {
  schema: Type.Union([
    Type.Integer({ minimum: 0, maximum: 999_999 }),
    Type.String({ pattern: '^\\s*\\d{1,6}%?\\s*$' }),
  ]),
  read: (value, path, report) => tried(value, path, report, (text) => failureBudget(1, text)),
};

function tried(
  value: unknown,
  path: string,
  report: (path: string, reason: string) => void,
  parse: (text: string) => unknown,
): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return void report(path, 'must be a number or a percentage');
  try {
    // `batchSizes` reads no further than it needs: each entry of a growing list is tried alone.
    for (const part of text.split(',')) parse(part);
    return text;
  } catch (error) {
    return void report(path, messageOf(error));
  }
}

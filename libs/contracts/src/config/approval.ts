import { Type } from 'typebox';
import { flag, type ValueKind } from './value-kinds.js';

/** Whether a rollout waits for a person, and whether that has to be another than who made it. */
export type Approval = boolean | 'second-person';

/** true, false or `second-person`. */
export const approval: ValueKind<Approval> = {
  schema: Type.Union([flag.schema, Type.Enum(['second-person'], { type: 'string' })]),
  read(value, path, report) {
    if (value === 'second-person') return value;
    return flag.read(value, path, (at) => report(at, 'must be true, false or second-person'));
  },
};

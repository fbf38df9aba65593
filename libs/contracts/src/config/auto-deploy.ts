import { Type } from 'typebox';
import { plainText } from './key-kinds.js';
import { listOf, type ValueKind } from './value-kinds.js';

/** Which new versions go to an environment by themselves. */
export interface AutoDeployRule {
  readonly environment: string;
  /** Ranges of semantic versions; empty means every one. */
  readonly versions: readonly string[];
  /** Branches a pull request was merged to; empty means every one. */
  readonly branches: readonly string[];
}

const names = listOf(plainText);
const fields = ['environment', 'versions', 'branches'];

/** One entry of `auto_deploy`. */
export const autoDeployRule: ValueKind<AutoDeployRule> = {
  schema: Type.Object(
    {
      environment: Type.String({ minLength: 1 }),
      versions: Type.Optional(names.schema),
      branches: Type.Optional(names.schema),
    },
    { additionalProperties: false },
  ),
  read(value, path, report) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return void report(path, `must be an object with ${fields.join(', ')}`);
    }
    const unknown = Object.keys(value).find((name) => !fields.includes(name));
    if (unknown !== undefined) {
      return void report(`${path}.${unknown}`, `is not known; there are ${fields.join(', ')}`);
    }
    const raw = value as Record<string, unknown>;
    const environment = plainText.read(raw['environment'], `${path}.environment`, report);
    const versions = names.read(raw['versions'] ?? [], `${path}.versions`, report);
    const branches = names.read(raw['branches'] ?? [], `${path}.branches`, report);
    if (!environment || !versions || !branches) return undefined;
    return { environment, versions, branches };
  },
};

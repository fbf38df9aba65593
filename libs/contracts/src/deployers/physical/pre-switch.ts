import { Type } from 'typebox';
import { command } from '../../config/key-kinds.js';
import { flag, type ValueKind } from '../../config/value-kinds.js';

/** `pre_switch_command`: what runs in the new release before it is switched to. */
export interface PreSwitchCommand {
  readonly command: string;
  /** On the first host of the release only, for migrations. */
  readonly runOnce: boolean;
}

/** Text, or `{"command": …, "run_once": true}`. */
export const preSwitchCommand: ValueKind<PreSwitchCommand> = {
  schema: Type.Union([
    command.schema,
    Type.Object(
      { command: command.schema, run_once: Type.Optional(flag.schema) },
      { additionalProperties: false },
    ),
  ]),
  read(value, path, report) {
    if (typeof value === 'string') {
      const read = command.read(value, path, report);
      return read === undefined ? undefined : { command: read, runOnce: false };
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return void report(path, 'must be text, or an object with command and run_once');
    }
    const known = ['command', 'run_once'];
    const unknown = Object.keys(value).find((name) => !known.includes(name));
    if (unknown !== undefined) {
      return void report(`${path}.${unknown}`, 'is not known; there are command and run_once');
    }
    const raw = value as { command?: unknown; run_once?: unknown };
    const read = command.read(raw.command, `${path}.command`, report);
    const once = flag.read(raw.run_once ?? false, `${path}.run_once`, report);
    return read === undefined || once === undefined ? undefined : { command: read, runOnce: once };
  },
};

import { CouldNotTellError, LeaseLostError, VerdictError } from '@floy/domain';
import type { RunOptions, RunResult } from '../ssh/remote-shell.js';
import type { SshClient } from '../ssh/ssh-client.js';

/** Longest wait for a script that waits for nothing but the host's lock. */
const SCRIPT_MS = 45_000;
/** So much of what a script printed is looked at for its last lines. Characters. */
const SAID = 4096;

/**
 * Runs one of Floy's own scripts; a refusal becomes an error by its kind, and a script that ended
 * otherwise than by its own will has an unknown outcome. The caller declares what else it may say.
 */
export async function runScript(
  client: SshClient,
  script: string,
  options: RunOptions = {},
): Promise<RunResult> {
  let refusal: Error | undefined;
  const result = await client.run(script, {
    timeoutMs: SCRIPT_MS,
    ...options,
    marks: { ...options.marks, refused: 1 },
    onMark(word, rest) {
      if (word === 'refused') refusal = refusalOf(rest);
      else options.onMark?.(word, rest);
    },
  });
  if (refusal !== undefined) throw refusal;
  if (result.code !== 0) {
    const said = result.stderr.slice(-SAID).trim().split('\n').slice(-5).join('\n');
    throw new CouldNotTellError(`A script ended with ${result.code} on the host: ${said}`);
  }
  return result;
}

function refusalOf(mark: string): Error {
  const space = mark.indexOf(' ');
  const kind = mark.slice(0, space);
  const text = mark.slice(space + 1).trim();
  switch (kind) {
    case 'owner':
      return new VerdictError(`The deploy path belongs to another Floy installation: ${text}`);
    case 'epoch':
      return new LeaseLostError(`The host has seen a later worker (epoch ${text})`);
    case 'missing':
      return new VerdictError(`The host lacks what Floy needs there; install: ${text}`);
    case 'folder':
    case 'disk':
      return new VerdictError(text);
    default:
      return new CouldNotTellError(`The host refused (${kind}): ${text}`);
  }
}

import { CouldNotTellError, LeaseLostError, VerdictError } from '@floy/domain';
import { FAILED } from '../commands/commands.js';
import {
  launchStep,
  readStepMark,
  settleStep,
  STEP_MARKS,
  type StepMark,
} from '../commands/launch-step.js';
import type { ConnectionPool } from '../ssh/connection-pool.js';
import type { SshClient } from '../ssh/ssh-client.js';
import { type HostWork, lockOf, type StepName, type StepOutcome } from './host-work.js';
import { createLiveLines, type LiveLines } from './live-lines.js';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { quoteTail } from './quote-tail.js';
import { runScript } from './run-script.js';
import { endSteps } from './stop-host.js';
import { withHost } from './with-host.js';

/** Something that a host shall do once. */
export interface Step {
  readonly name: StepName;
  readonly script: string;
  readonly timeoutSeconds: number;
  /** Looks whether a step whose end nobody saw was done. */
  probe?(): Promise<boolean>;
  /**
   * Never carried out a second time, as that may do harm. Any other whose end nobody saw, and of
   * which no probe shows that it was done, is repeated up to `retryCount` times.
   */
  readonly once?: boolean;
  /** The command of the settings that it ends with, by its key, and the folder that it runs in. */
  readonly command?: { readonly key: string; readonly folder: string };
  /** Does not begin where a step of other work still lives, instead of ending that. */
  readonly yields?: boolean;
}

type Seen =
  | { readonly kind: 'ended'; readonly code: string; readonly output: string }
  /** It prints more than is shown and was left; it goes on. */
  | { readonly kind: 'flooding' }
  | Exclude<StepMark, { readonly kind: 'running' | 'ended' }>;

/** Until a step has begun or was found: connecting, the login shell, the host's lock. */
const LAUNCH_MS = 45_000;
/** How often a host may say that another step lives, or print more than is shown: not for ever. */
const MOST_TURNS = 10;
/** So many of the last lines that a step printed are part of the reason. */
const LAST_LINES = 5;

/**
 * Carries out a step, or goes on watching it, or answers what it ended with when it was carried out
 * before; returns the end of its output.
 *
 * @throws VerdictError when it ended with anything but 0, or was stopped for its time
 * @throws CouldNotTellError when its end could not be found out
 * @throws LeaseLostError when a later worker has the target, or the step yields to another
 */
export async function runStep(
  pool: ConnectionPool,
  work: HostWork,
  deployPath: string,
  step: Step,
): Promise<string> {
  const began = performance.now();
  let outcome: StepOutcome = 'done';
  try {
    return await carryOut(pool, work, deployPath, step);
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    work.stepEnded?.(step.name, outcome, (performance.now() - began) / 1000);
  }
}

function outcomeOf(error: unknown): StepOutcome {
  if (error instanceof VerdictError) return 'failed';
  if (error instanceof CouldNotTellError) return 'unknown';
  return error instanceof LeaseLostError ? 'lost' : 'given_up';
}

async function carryOut(
  pool: ConnectionPool,
  work: HostWork,
  deployPath: string,
  step: Step,
): Promise<string> {
  const lock = lockOf(work, deployPath);
  const key = { work: work.id, name: step.name };
  const lines = createLiveLines(work.redactor, (line) => work.log(line));
  const watched = { attempt: 0 };
  let rerunAfter = 0;
  let turns = 0;
  for (let repeats = 0; ;) {
    const seen = await withHost(pool, work, async (client) => {
      await work.beforeStep(step.name);
      const script = launchStep({
        lock,
        ...key,
        script: step.script,
        rerunAfter,
        seen: { attempt: watched.attempt, bytes: lines.bytes },
        live: !lines.full,
      });
      return watch(pool, work, client, step, { script, lines, watched, deployPath });
    });
    if (seen.kind === 'ended') {
      if (seen.code === '0' || seen.code === 'probed') return seen.output;
      const output = work.redactor.redact(seen.output);
      throw new VerdictError(endText(step, seen.code, output), {
        step: step.name,
        exit_code: /^\d{1,3}$/.test(seen.code) ? Number(seen.code) : null,
        output,
      });
    }
    if (seen.kind === 'flooding' || seen.kind === 'occupied') {
      turns += 1;
      if (turns > MOST_TURNS) {
        throw new CouldNotTellError(`${step.name}: the host says the same again and again`);
      }
    }
    if (seen.kind === 'flooding') continue;
    if (seen.kind === 'occupied') {
      if (step.yields === true) throw new LeaseLostError(`${seen.key} still runs on the host`);
      work.log(`${seen.key} still runs on the host and is stopped before ${step.name}`);
      await endSteps(pool, work, deployPath);
      continue;
    }
    work.log(`${step.name}: nobody saw its end; looking at the host`);
    if (await step.probe?.()) {
      await withHost(pool, work, (client) =>
        runScript(client, settleStep(lock, key, seen.attempt), { signal: work.signal }),
      );
      work.log(`${step.name}: it was done`);
      return '';
    }
    if (step.once === true || repeats >= work.retryCount) {
      throw new CouldNotTellError(`${step.name}: its end could not be found out`);
    }
    rerunAfter = seen.attempt;
    repeats += 1;
  }
}

interface Watching {
  readonly script: string;
  readonly lines: LiveLines;
  readonly watched: { attempt: number };
  readonly deployPath: string;
}

async function watch(
  pool: ConnectionPool,
  work: HostWork,
  client: SshClient,
  step: Step,
  watching: Watching,
): Promise<Seen> {
  const { lines, watched } = watching;
  const within = narrowSignal(work.signal);
  const { host, port } = work.connection;
  const late = new VerdictError(
    `${nameOf(step)} did not end within ${step.timeoutSeconds} s on ${host}:${port} (step ${step.name}; the key is timeout)`,
    { step: step.name, key: 'timeout' },
  );
  within.abortAfter(LAUNCH_MS, new CouldNotTellError(`${step.name} did not begin`));
  const flooding = new Error('more output than is shown');
  let live = false;
  let last: StepMark | undefined;
  try {
    const result = await runScript(client, watching.script, {
      signal: within.signal,
      timeoutMs: undefined,
      marks: STEP_MARKS,
      onOutput(chunk) {
        if (!live) return undefined;
        lines.push(chunk);
        if (lines.full) within.abort(flooding);
        return work.logRoom?.();
      },
      onMark(word, rest) {
        const mark = readStepMark(word, rest);
        live = mark?.kind === 'running';
        last = mark ?? last;
        if (mark?.kind !== 'running') return;
        if (mark.attempt !== watched.attempt) lines.reset();
        watched.attempt = mark.attempt;
        const left = step.timeoutSeconds - mark.seconds;
        within.abortAfter(Math.max(0, left * 1000), late);
      },
    });
    if (last?.kind === 'ended') {
      if (watched.attempt > 0) lines.finish(result.stdout, last.bytes);
      return { ...last, output: result.stdout };
    }
    if (last === undefined || last.kind === 'running') {
      throw new CouldNotTellError(`${step.name}: the host did not say what became of it`);
    }
    return last;
  } catch (error) {
    // The present connection may be held by the step where a host allows one session.
    if (error === late || error === flooding) pool.drop(work.connection);
    if (error === flooding) {
      work.log(`${step.name} prints much; only the end of it follows`);
      return { kind: 'flooding' };
    }
    if (error === late) {
      await endSteps(pool, work, watching.deployPath, { work: work.id, name: step.name });
    }
    throw error;
  } finally {
    within.release();
  }
}

function nameOf({ name, command }: Step): string {
  return command?.key ?? name;
}

/** How a step ended, for people: which command of it, where that ran, and what was printed last. */
function endText(step: Step, code: string, output: string): string {
  const lines = output.trim().split('\n').slice(-LAST_LINES);
  const last = lines.at(-1) ?? '';
  if (last.startsWith(FAILED)) {
    return `${step.name} failed: ${last.slice(FAILED.length)}${quoteTail(lines.slice(0, -1).join('\n'))}`;
  }
  const how = code === 'stopped' ? 'was stopped' : `ended with exit code ${code}`;
  const where = step.command === undefined ? '' : ` in ${step.command.folder}`;
  return `${nameOf(step)} ${how}${where}${quoteTail(lines.join('\n'))}`;
}

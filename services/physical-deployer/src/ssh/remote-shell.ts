import { CouldNotTellError, FloyError, messageOf } from '@floy/domain';
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { createMarkedOutput, type MarkLimits } from './marked-output.js';
import { saidText } from './said-text.js';
import { createTailBuffer } from './tail-buffer.js';

/** Bytes for a script that asks for them by calling `floy_ask` and then reads exactly that many. */
export interface ScriptInput {
  readonly size: number;
  open(): Readable;
}

export interface RunOptions {
  /** Ends the wait (not what runs on the host), with the signal's reason as the error. */
  readonly signal?: AbortSignal;
  /** After this the outcome counts as unknown. */
  readonly timeoutMs?: number;
  readonly input?: ScriptInput;
  /** Where it answers a promise, nothing more is read of the host until that has resolved. */
  onOutput?(chunk: Buffer): unknown;
  /** The words that the script may say, and how often each; a host that says more is failed. */
  readonly marks?: MarkLimits;
  /** Called for `floy_mark WORD REST` in the script, in its place among the output. */
  onMark?(word: string, rest: string): void;
}

/** What a script left; the texts are the last 64 KiB of each stream. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One `/bin/sh` on the host that carries out one script after another. */
export interface RemoteShell {
  readonly state: 'idle' | 'busy' | 'closed';
  run(script: string, options?: RunOptions): Promise<RunResult>;
  close(): void;
}

/** What a host may print between two scripts. */
const IDLE_BYTES = 1024 * 1024;
/** How long output may still arrive after the shell itself has ended. */
const LAST_OUTPUT_MS = 1000;

/**
 * The script goes through standard input, so nothing of it is in an argument list. It is wrapped
 * in braces: a shell has to read up to the closing one before it does anything, so that a shell
 * that reads ahead has read all there is when the script asks for input. It runs in a subshell,
 * without standard input unless it asks for some. The end is the script's own `done` line on both
 * streams rather than the channel's `exit` or `close`: the line comes after all output, does not
 * wait for daemons that hold the streams, and lets the next script use the same shell, which saves
 * the login shell's start files (40 to 400 ms on real hosts) for every step. Without that line the
 * outcome is unknown.
 *
 * A script that was to read input and did not succeed may have left some of it unread: bytes of an
 * artifact, which the shell would carry out as its next commands. So the shell ends there.
 */
function wrap(script: string, nonce: string, withInput: boolean): string {
  return [
    '{',
    `floy_mark() { printf '\\036%s %s\\n' '${nonce}' "$*"; }`,
    'floy_ask() { floy_mark send; }',
    'floy_mark start; floy_mark start >&2',
    '(',
    script,
    withInput ? ')' : ') </dev/null',
    'floy_code=$?',
    'floy_mark done "$floy_code"; floy_mark done "$floy_code" >&2',
    ...(withInput ? ['[ "$floy_code" = 0 ] || exit'] : []),
    '}',
    '',
  ].join('\n');
}

/** What every script says besides its own words: on both streams, and on standard output only. */
const MARKS = { start: 1, done: 1 };
const OUTPUT_MARKS = { ...MARKS, send: 1, output: 1 };

/**
 * A channel that runs `/bin/sh` becomes a shell for scripts.
 *
 * @param onExcess told that the host says more than it may; has to end the connection
 */
export function createRemoteShell(
  channel: ClientChannel,
  onChange: () => void,
  onExcess: (reason: string) => void,
): RemoteShell {
  let state: RemoteShell['state'] = 'idle';
  let broken: ((reason: Error) => void) | undefined;
  let feeds: { out(chunk: Buffer): void; err(chunk: Buffer): void } | undefined;
  // What the login shell says before the first script, which explains why there is none.
  const greeting = createTailBuffer(1024);

  const close = (reason: Error): void => {
    if (state === 'closed') return;
    state = 'closed';
    channel.close();
    broken?.(reason);
    onChange();
  };
  const ended = (how: string): void => {
    const said = greeting.text().trim();
    const text = `The remote shell ended before the command: ${how}${said && `, saying: ${said}`}`;
    close(new CouldNotTellError(text));
  };
  // Nobody waits for what comes between two scripts but the last words of the one before.
  let idle = 0;
  const unasked = (chunk: Buffer): void => {
    idle += chunk.length;
    if (idle > IDLE_BYTES) onExcess(`printed more than ${IDLE_BYTES} bytes while nothing ran`);
  };
  channel.on('data', (chunk: Buffer) => (feeds === undefined ? unasked(chunk) : feeds.out(chunk)));
  channel.stderr.on('data', (chunk: Buffer) =>
    feeds === undefined ? unasked(chunk) : feeds.err(chunk),
  );
  channel.on('exit', (code: number | null, signal?: string) => {
    const how = code === null ? `killed by ${saidText(signal ?? 'a signal')}` : `exit code ${code}`;
    setTimeout(() => ended(how), LAST_OUTPUT_MS).unref();
  });
  channel.on('close', () => ended('the channel closed'));
  channel.on('error', (error: Error) => ended(messageOf(error)));

  const run = (script: string, options: RunOptions = {}): Promise<RunResult> =>
    new Promise((resolve, reject) => {
      const nonce = randomBytes(16).toString('hex');
      const stdout = createTailBuffer();
      const stderr = createTailBuffer();
      const { signal, input } = options;
      let waiting = 2;
      let source: Readable | undefined;
      state = 'busy';
      idle = 0;

      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        source?.destroy();
        broken = undefined;
        feeds = undefined;
      };
      broken = (reason) => {
        settle();
        reject(reason);
      };
      const aborted = (): void => close(asError(signal?.reason));
      const timer =
        options.timeoutMs === undefined
          ? undefined
          : setTimeout(
              () => close(new CouldNotTellError(`No answer for ${options.timeoutMs} ms`)),
              options.timeoutMs,
            );
      const done = (code: number): void => {
        waiting -= 1;
        if (waiting > 0) return;
        settle();
        resolve({ code, stdout: stdout.text(), stderr: stderr.text() });
        state = 'idle';
        if (input !== undefined && code !== 0) close(new CouldNotTellError('The upload failed'));
        else onChange();
      };
      const send = (): void => {
        if (input === undefined || source !== undefined) return;
        source = input.open();
        sendExactly(source, input.size, channel, close);
      };
      // What comes before `start` is the greeting of the login shell.
      let begun = false;
      let begunErrors = false;
      feeds = {
        out: createMarkedOutput(nonce, {
          marks: { ...OUTPUT_MARKS, ...options.marks },
          onExcess,
          onData(data) {
            if (!begun) return greeting.push(data);
            stdout.push(data);
            const room = options.onOutput?.(data);
            if (!(room instanceof Promise)) return;
            channel.pause();
            void room.finally(() => channel.resume());
          },
          onMark(word, rest) {
            if (word === 'start') begun = true;
            else if (word === 'done') done(Number(rest));
            else if (word === 'send') send();
            else {
              // Output before a mark belongs to what was before it.
              if (word === 'output') stdout.clear();
              options.onMark?.(word, rest);
            }
          },
        }),
        err: createMarkedOutput(nonce, {
          marks: MARKS,
          onExcess,
          onData(data) {
            if (begunErrors) stderr.push(data);
            else greeting.push(data);
          },
          onMark(word, rest) {
            if (word === 'start') begunErrors = true;
            if (word === 'done') done(Number(rest));
          },
        }),
      };
      if (signal?.aborted) return aborted();
      signal?.addEventListener('abort', aborted);
      channel.write(wrap(script, nonce, input !== undefined));
    });

  return {
    get state() {
      return state;
    },
    run,
    close: () => close(new CouldNotTellError('The connection was closed')),
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new CouldNotTellError(String(reason ?? 'aborted'));
}

/** Writes the source with backpressure; a source that is not exactly that long is a problem. */
function sendExactly(
  source: Readable,
  size: number,
  channel: ClientChannel,
  onProblem: (problem: Error) => void,
): void {
  let sent = 0;
  const broken = (why: string): Error => new CouldNotTellError(`The upload broke: ${why}`);
  source.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    if (sent > size) {
      source.destroy();
      onProblem(broken(`more than the ${size} bytes that were announced`));
    } else if (!channel.write(chunk)) {
      source.pause();
      channel.once('drain', () => source.resume());
    }
  });
  // A verdict on what is to be sent stays one.
  source.once('error', (error) =>
    onProblem(error instanceof FloyError ? error : broken(messageOf(error))),
  );
  source.once('end', () => {
    if (sent < size) onProblem(broken(`${sent} of ${size} bytes were there`));
  });
}

import { VerdictError } from '@floy/domain';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { StringDecoder } from 'node:string_decoder';
import type { ContainedProcess } from './contained-process.js';
import { LimitPassedError, type CommandExit } from './exit-verdict.js';

/** How a running command is followed, and what ends it. */
export interface FollowOptions {
  /** How errors call it (`build_command`); "the command" by default. */
  name?: string;
  timeoutSeconds: number;
  /** How long the command may print nothing; no limit when left out. */
  inactivitySeconds?: number;
  /** Cancels: everything is killed, and the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Gets the output as it comes, standard error included, NUL characters replaced. The command is
   * held up while a promise given back is open; a failure ends the command and is thrown.
   */
  onOutput?: (text: string) => void | Promise<void>;
}

/** Waits until a command and all it started are over, and hands its output on. */
export async function follow(
  running: ContainedProcess,
  options: FollowOptions,
): Promise<CommandExit> {
  const { name = 'the command', timeoutSeconds, inactivitySeconds, signal, onOutput } = options;
  const within = narrowSignal(signal);
  within.signal.addEventListener('abort', () => running.kill(), { once: true });
  within.abortAfter(
    timeoutSeconds * 1000,
    new LimitPassedError(`${name} ran longer than ${timeoutSeconds} s and was ended`),
  );
  let delivering = false;
  let over = false;
  let idle: NodeJS.Timeout | undefined;
  // What is made ready before the command is not its silence.
  void running.begun.then(
    () => {
      if (inactivitySeconds === undefined || over) return;
      idle = setTimeout(() => {
        // Held up by whoever takes the output: that is not the command's silence.
        if (delivering) idle?.refresh();
        else
          within.abort(
            new VerdictError(`${name} printed nothing for ${inactivitySeconds} s and was ended`),
          );
      }, inactivitySeconds * 1000);
    },
    () => undefined,
  );

  const decoder = new StringDecoder('utf8');
  const deliver = async (text: string): Promise<void> => {
    if (text === '' || !onOutput) return;
    delivering = true;
    await onOutput(text.replaceAll('\0', '\ufffd'));
    delivering = false;
  };
  if (within.signal.aborted) running.kill();
  try {
    for await (const chunk of running.output as AsyncIterable<Buffer>) {
      idle?.refresh();
      await deliver(decoder.write(chunk));
      idle?.refresh();
    }
    await deliver(decoder.end());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
      within.abort(error);
    }
  }
  try {
    const exit = await running.ended;
    within.signal.throwIfAborted();
    return exit;
  } catch (error) {
    within.signal.throwIfAborted();
    throw error;
  } finally {
    over = true;
    clearTimeout(idle);
    within.release();
  }
}

import type { Redactor } from '@floy/secrets/redaction';
import type { TaskLogStore } from './task-log-store.js';

export interface TaskLog {
  /** Adds text; secrets are masked before it leaves the process. */
  write(text: string): void;
  /** Undefined while there is room for more; else resolves when there is again. */
  room(): Promise<void> | undefined;
  /** Resolves when all that was written is stored; in an outage after a while, before it is. */
  flush(): Promise<void>;
}

/** More than this of one task's output is dropped, saying so. Characters. */
const longestLog = 20_000_000;

/**
 * The live log of a task. Losing a piece of it never fails the work it tells of. Lines of several
 * workers are told apart by their source (`instance api-10.0.0.1-22`).
 */
export function createTaskLog(
  store: TaskLogStore,
  taskId: string,
  options: { source: string; redactor: Pick<Redactor, 'stream'> },
): TaskLog {
  const { source } = options;
  const masked = options.redactor.stream();
  let written = 0;
  const add = (text: string): void =>
    store.add({ taskId, source, text: text.replaceAll('\0', '\uFFFD') });

  return {
    write(text) {
      if (written > longestLog) return;
      written += text.length;
      add(masked.push(text));
      if (written > longestLog) add('\n[the rest of the output is not kept]\n');
    },
    room: store.room,
    async flush() {
      add(masked.end());
      await store.flush();
    },
  };
}

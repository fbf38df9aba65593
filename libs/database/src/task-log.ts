import type { Redactor } from '@floy/secrets/redaction';
import type { Database } from './database.js';

export interface TaskLog {
  /** Adds text; secrets are masked before it leaves the process. */
  write(text: string): void;
  /** Resolves when all that was written is stored, or could not be. */
  flush(): Promise<void>;
}

/** Chunks are gathered this long, so that chatty commands cost few transactions. Milliseconds. */
const gatherMs = 150;
/** More than this of one task's output is dropped, saying so. Characters. */
const longestLog = 20_000_000;

/**
 * The live log of a task. Losing a piece of it never fails the work it tells of. Lines of several
 * workers are told apart by their source (`instance api-10.0.0.1-22`).
 */
export function createTaskLog(
  database: Database,
  taskId: string,
  options: {
    source: string;
    redactor: Pick<Redactor, 'stream'>;
    onError: (error: unknown) => void;
  },
): TaskLog {
  const masked = options.redactor.stream();
  let gathered = '';
  let written = 0;
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> = Promise.resolve();

  function store(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const text = gathered.replaceAll('\0', '\uFFFD');
    gathered = '';
    if (text) storing = storing.then(() => append(text)).catch(options.onError);
    return storing;
  }

  /** The stream's counter is raised in the same transaction, so that numbers commit in order. */
  async function append(text: string): Promise<void> {
    await database.transaction(async (tx) => {
      await tx.execute(
        `WITH raised AS (
           INSERT INTO event_streams AS s (stream, seq) VALUES (?, 1)
           ON CONFLICT (stream) DO UPDATE SET seq = s.seq + 1 RETURNING seq
         )
         INSERT INTO task_logs (task_id, seq, source, text) SELECT ?, seq, ?, ? FROM raised`,
        [`log ${taskId}`, taskId, options.source, text],
      );
      tx.nudge({ topic: 'stream', id: taskId });
    });
  }

  return {
    write(text) {
      if (written > longestLog) return;
      written += text.length;
      gathered += masked.push(text);
      if (written > longestLog) gathered += '\n[the rest of the output is not kept]\n';
      if (gathered.length > 256 * 1024) void store();
      else timer ??= setTimeout(() => void store(), gatherMs);
    },
    async flush() {
      gathered += masked.end();
      await store();
    },
  };
}

import { randomBytes } from 'node:crypto';
import { catalogues, type MessageKind, type MessagePayloads } from '@floy/contracts';
import type { LongHandler } from '@floy/messaging/handlers';
import { doLongWork } from '@floy/messaging/long-work';
import { createReport, type WorkOutcome } from '@floy/messaging/observer';
import { recordWork } from '@floy/messaging/recorded-work.fixture';
import { createRedactor } from '@floy/secrets/redaction';
import { createMetrics } from './metrics.js';
import { openRuntime, type Runtime } from './runtime.js';

/** What a process has that services are composed from, on real servers; it consumes no queue. */
export interface TestRuntime extends Runtime {
  /**
   * Carries out the oldest open message of a kind, as a consumer of its queue does: with a lease
   * that is renewed. Answers how it ended; undefined where other work holds its subject.
   *
   * @param of ids that its payload holds
   * @throws Error where no such message is open
   */
  carryOut<K extends MessageKind>(
    kind: K,
    handler: LongHandler<K>,
    of: Partial<MessagePayloads[K]>,
  ): Promise<WorkOutcome | undefined>;
}

/** @param encryptionKey a new one unless given; the queue is in the database, too */
export async function openTestRuntime(
  url: string,
  encryptionKey: string = randomBytes(32).toString('base64'),
): Promise<TestRuntime> {
  const quiet = () => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };
  const runtime = await openRuntime(
    'test',
    { FLOY_DATABASE_URL: url, FLOY_ENCRYPTION_KEY: encryptionKey },
    { logger, metrics: createMetrics(), redactor: createRedactor() },
    catalogues,
  );
  const { database, keeper } = runtime.deps;
  return {
    ...runtime,
    async carryOut(kind, handler, of) {
      const open = await database.transaction((tx) =>
        tx.row<{ id: string }>(
          `SELECT id FROM messages WHERE kind = ? AND done_at IS NULL AND payload @> ?::jsonb
           ORDER BY created_at, id LIMIT 1`,
          [kind, JSON.stringify(of)],
        ),
      );
      if (!open) throw new Error(`there is no open ${kind} of ${JSON.stringify(of)}`);
      const message = { id: open.id, kind };
      const { observer, outcomes } = recordWork();
      const report = createReport(observer, message);
      const stopping = new AbortController().signal;
      await doLongWork({ database, keeper, report }, handler, message, stopping);
      return outcomes().at(-1);
    },
  };
}

import { writeCheckpoint, type AuditCheckpoint } from '@floy/database/audit/audit-seal';
import { sealAudit } from '@floy/database/audit/seal-audit';
import type { Database } from '@floy/database/database';
import { UnavailableError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import type { Logger } from '@floy/service-kit/logger';

/** How often lines without a seal are looked for. Milliseconds. */
const EVERY_MS = 2000;
/** How often a checkpoint is logged, where there are new lines. Milliseconds. */
const LOG_MS = 60_000;

/** Seals what is written to the audit. Several gateways may: one at a time does. */
export interface AuditSealing {
  /** Seals what is there, and ends. */
  stop(): Promise<void>;
}

/**
 * Begins to seal. Where the chain ends is logged once a minute, so that logs that are kept elsewhere
 * hold checkpoints; a chain that lost what this process saw in it is an error in the log.
 */
export function startAuditSealing(
  database: Pick<Database, 'transaction'>,
  sealer: Sealer,
  logger: Pick<Logger, 'info' | 'warn' | 'error'>,
): AuditSealing {
  let known: AuditCheckpoint | undefined;
  let logged: string | undefined;
  let loggedAt = -Infinity;

  async function seal(): Promise<void> {
    for (let more = true; more;) {
      const round = await sealAudit(database, sealer, known);
      if (round?.cut && known) {
        const checkpoint = writeCheckpoint(known);
        logger.error({ checkpoint }, 'The audit was changed: it has not what was sealed in it');
      }
      known = round && round.head.seq > 0 ? round.head : known;
      more = round?.more ?? false;
    }
    const checkpoint = known && writeCheckpoint(known);
    if (checkpoint === logged || performance.now() - loggedAt < LOG_MS) return;
    logger.info({ checkpoint }, 'The audit is sealed up to here');
    logged = checkpoint;
    loggedAt = performance.now();
  }

  let round = Promise.resolve();
  const next = (): Promise<void> =>
    (round = round.then(seal).catch((error: unknown) => {
      // Postgres that is away is told of by others.
      if (error instanceof UnavailableError) return;
      logger.warn({ err: error }, 'The audit could not be sealed');
    }));
  const timer = setInterval(() => void next(), EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await next();
    },
  };
}

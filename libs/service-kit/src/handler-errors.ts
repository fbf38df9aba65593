import { LeaseLostError } from '@floy/domain';
import type { Logger } from './logger.js';

/** How a service tells of the errors of its handlers. A lost lease is no error: another goes on. */
export function reportHandlerError(logger: Logger) {
  return (error: unknown, message: { kind: string; id: string }): void => {
    const fields = { message_id: message.id, kind: message.kind };
    if (error instanceof LeaseLostError)
      logger.info({ ...fields, reason: error.message }, 'Work was given up');
    else logger.error({ ...fields, err: error }, 'A handler failed');
  };
}

import { isAlive } from '@floy/local-servers/process-table';
import type { Logger } from '@floy/service-kit/logger';

/** A server of one's own: Postgres or Redis. */
export interface OwnServer {
  readonly pid: number;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const LOOK_MS = 1000;

/**
 * Starts a server again when it has died. Answers how to stop it: nothing else on the machine looks
 * after the servers below FLOY_HOME, and without them nothing here would move again.
 */
export function watchServer(name: string, server: OwnServer, logger: Logger): () => Promise<void> {
  let busy = Promise.resolve();
  const look = async (): Promise<void> => {
    if (await isAlive(server.pid)) return;
    logger.warn({ server: name }, 'A server of our own has died and is started again');
    await server.restart();
  };
  const timer = setInterval(() => {
    busy = busy.then(look).catch((err: unknown) => {
      logger.error({ server: name, err }, 'A server of our own could not be started again');
    });
  }, LOOK_MS);
  return async () => {
    clearInterval(timer);
    await busy;
    await server.stop();
  };
}

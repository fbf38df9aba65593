import { existsSync } from 'node:fs';
import { isAlive } from '@floy/local-servers/process-table';
import type { Logger } from '@floy/service-kit/logger';

/** A server of one's own: Postgres or Redis. */
export interface OwnServer {
  readonly pid: number;
  /** Where everybody reaches it. */
  readonly socket: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const LOOK_MS = 1000;

/**
 * Starts a server again when it has died, or when somebody who tidies up has removed its socket, so
 * that nobody can reach it any more. Answers how to stop it: nothing else on the machine looks
 * after the servers below FLOY_HOME, and without them nothing here would move again.
 */
export function watchServer(name: string, server: OwnServer, logger: Logger): () => Promise<void> {
  let busy = Promise.resolve();
  const look = async (): Promise<void> => {
    const lives = await isAlive(server.pid);
    if (lives && existsSync(server.socket)) return;
    logger.warn(
      { server: name, reason: lives ? 'its socket is gone' : 'it has died' },
      'A server of our own is started again',
    );
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

import { once } from 'node:events';
import { createServer } from 'node:net';
import { ConfigError } from './config.js';

/** An address to listen on, and the settings that say so. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly hostSetting: string;
  readonly portSetting: string;
}

/** Why nothing can listen there, as the fault of a setting; any other error as it is. */
export function listenProblem(error: unknown, at: ListenAddress): unknown {
  const { host, port, hostSetting, portSetting } = at;
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'EADDRINUSE': {
      const reason = `another program has port ${port} of ${host}: end that one, or set another port (0 picks a free one)`;
      return new ConfigError({ [portSetting]: reason });
    }
    case 'EACCES': {
      const reason = `this user may not take port ${port}: set one from 1024 on (0 picks a free one)`;
      return new ConfigError({ [portSetting]: reason });
    }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL': {
      const reason = `this machine has no address ${host}: set one that it has, or 0.0.0.0 for all of them`;
      return new ConfigError({ [hostSetting]: reason });
    }
    default:
      return error;
  }
}

/**
 * Takes an address and leaves it again, so that a start ends before it has begun anything.
 *
 * @throws ConfigError where nothing could listen there
 */
export async function refuseTakenAddress(at: ListenAddress): Promise<void> {
  const server = createServer();
  try {
    server.listen(at.port, at.host);
    await once(server, 'listening');
  } catch (error) {
    throw listenProblem(error, at);
  }
  server.close();
  await once(server, 'close');
}

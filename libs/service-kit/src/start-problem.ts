import { messageOf, UnavailableError } from '@floy/domain';
import { ConfigError } from './config.js';

/** What Postgres says to a login that it refuses, by SQLSTATE. */
const refusals: Readonly<Record<string, string>> = {
  '28P01': 'Postgres refuses this user or password',
  '28000': 'Postgres does not let this user in from here',
  '3D000': 'Postgres has no database of this name',
};

/**
 * A start that failed because of the database, as the fault of the setting that names it; where
 * nobody answers, as an outage. Any other error as it is.
 */
export function startProblem(error: unknown): unknown {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  const reason = typeof code === 'string' ? refusals[code] : undefined;
  if (reason !== undefined) {
    const said = `${reason} (${messageOf(error)}): correct the URL, or let it in there`;
    return new ConfigError({ FLOY_DATABASE_URL: said }, { cause: error });
  }
  const isAway = syscall === 'connect' || syscall === 'getaddrinfo';
  if (!isAway && !(error instanceof UnavailableError)) return error;
  const said = `${messageOf(error)}: start that server, or correct FLOY_DATABASE_URL`;
  return new UnavailableError(said, {}, { cause: error });
}

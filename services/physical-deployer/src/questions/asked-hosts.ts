import {
  hostConnection,
  hostPlaceOf,
  resolvePhysicalConnection,
  type Environment,
  type PhysicalConnection,
  type PhysicalQuestion,
  type ResolvedHost,
} from '@floy/contracts';
import type { TargetRow } from '@floy/database/rows';
import { InvalidRequestError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { verifyHostKey } from '../release/verify-host-key.js';
import type { HostReach } from '../rollout/host-work.js';

/** A host that a question goes to. */
export interface AskedHost {
  /** As the answer names it: `host` or, where the port is not 22, `host:port`. */
  readonly name: string;
  readonly reach: HostReach & { readonly signal: AbortSignal };
  readonly host: ResolvedHost;
  readonly login: PhysicalConnection;
}

/**
 * The hosts that a question names, all of the environment's where it names none. Throws
 * InvalidRequestError for one that the environment does not have.
 */
export function askedHosts(
  deps: DeployerDeps,
  environment: Environment,
  question: Pick<PhysicalQuestion, 'hosts'>,
  signal: AbortSignal,
): AskedHost[] {
  const login = resolvePhysicalConnection(environment.config);
  const named =
    question.hosts.length === 0
      ? login.hosts
      : question.hosts.flatMap((name) => hostsNamed(login, name));
  return [...new Set(named)].map((host) => {
    const connection = hostConnection(login, host);
    const place = { environmentId: environment.id, host: host.host, port: host.port };
    const verify = verifyHostKey(deps.database, place, login);
    return {
      name: host.port === 22 ? host.host : `${host.host}:${host.port}`,
      host,
      login,
      // Who asks is told at once that a host is away.
      reach: { connection, retryCount: 0, connectMs: 0, verifyHostKey: verify, signal },
    };
  });
}

/** Whether a target is a place on this host. */
export function isOn({ host }: AskedHost, { place }: TargetRow): boolean {
  const on = hostPlaceOf(place);
  return on.host === host.host && on.port === host.port;
}

/** A name without a port means every host of that name. */
function hostsNamed(login: PhysicalConnection, name: string): ResolvedHost[] {
  const found = login.hosts.filter(({ host, port }) => name === `${host}:${port}` || name === host);
  if (found.length > 0) return found;
  throw new InvalidRequestError(`${name} is not a host of the environment`, {
    hosts: `${name} is not one of them`,
  });
}

import { configKeys, parseHost, type Environment, type HostEntry } from '@floy/contracts';
import { InvalidRequestError } from '@floy/domain';

const ignore = (): void => {};

/**
 * The hosts of an environment that a request names as `host` or `host:port`.
 * Throws InvalidRequestError naming the first that is not one of them.
 */
export function hostsOf(environment: Environment, named: readonly string[]): string[] {
  const entries = entriesOf(environment);
  for (const [index, name] of named.entries()) {
    const asked = parseHost(name, '', ignore);
    const known = entries.some(
      ({ host, port }) => host === asked?.host && (asked.port === undefined || asked.port === port),
    );
    if (known) continue;
    throw new InvalidRequestError(`${name} is no host of environment ${environment.name}`, {
      [`hosts[${index}]`]: 'is no host of this environment',
    });
  }
  return [...named];
}

/** Every host of an environment with its port of SSH; none where its config names none. */
export function sshPlacesOf(environment: Environment): { host: string; port: number }[] {
  return entriesOf(environment).map(({ host, port = 22 }) => ({ host, port }));
}

/** The port of SSH of a host, as its environment says. */
export function sshPortOf(environment: Environment, host: string): number {
  return entriesOf(environment).find((entry) => entry.host === host)?.port ?? 22;
}

function entriesOf({ config }: Environment): HostEntry[] {
  const entries = configKeys.hosts.kind.read(config['hosts'], 'hosts', ignore) ?? [];
  const standard = configKeys.ssh_port.kind.read(config['ssh_port'] ?? 22, 'ssh_port', ignore);
  return entries.map((entry) => ({ ...entry, port: entry.port ?? standard }));
}

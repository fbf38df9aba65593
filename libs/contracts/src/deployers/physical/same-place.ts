import { placeholdersOf } from '../../config/template.js';
import { hostAddress } from './host-address.js';
import type { HostEntry } from './hosts.js';

/**
 * Field path → reason, for every host of an environment that is another one written again: the
 * same address and port, with a `deploy_path` that nothing of the two tells apart. An application
 * may have a `deploy_path` of its own; that is looked at when it is deployed.
 */
export function samePlaceProblems(
  hosts: readonly HostEntry[],
  standardPort = 22,
  deployPath = '',
): Record<string, string> {
  const named = new Set(placeholdersOf(deployPath).map(({ name }) => name));
  const seen = new Map<string, number>();
  const problems: Record<string, string> = {};
  for (const [index, host] of hosts.entries()) {
    const own = [
      ['instance_id', host.instanceId],
      ['port', host.servicePort],
      ['host', host.host],
    ] as const;
    const told = own.map(([name, value]) => (named.has(name) ? value : undefined));
    const port = host.port ?? standardPort;
    const place = JSON.stringify([hostAddress(host.host), port, told]);
    const first = seen.get(place);
    if (first === undefined) seen.set(place, index);
    else {
      problems[`config.hosts[${index}]`] =
        `is hosts[${first}] again: the same host, port and deploy_path`;
    }
  }
  return problems;
}

import { readKey } from './check-config.js';
import { instanceIdOf } from './physical-connection.js';
import { deployPathOf, resolvePhysicalSettings, serviceNameOf } from './physical-settings.js';

type Config = Readonly<Record<string, unknown>>;

/** Where one instance of a service lives. */
export interface Place {
  readonly instanceId: string;
  readonly host: string;
  /** Port of SSH. */
  readonly port: number;
  readonly deployPath: string;
}

/** What templates of a place may name beside the host. */
export interface PlaceNames {
  readonly git_tag: string;
  readonly git_commit: string;
  readonly environment: string;
  readonly application: string;
}

/**
 * The places of an application on the hosts of a physical environment, in their order. Needs no
 * secret of either config. Throws InvalidRequestError naming the key that is wrong.
 */
export function placesOf(
  environment: Config,
  application: Config,
  names: PlaceNames,
): { service: string; places: Place[] } {
  const settings = resolvePhysicalSettings(environment, application);
  const standardPort = readKey('ssh_port', environment) ?? 22;
  const known = { ...names, version: names.git_tag };
  const service = serviceNameOf(settings, known);
  const places = (readKey('hosts', environment) ?? []).map((entry) => {
    const host = { ...entry, port: entry.port ?? standardPort, user: entry.user ?? '' };
    const instanceId = instanceIdOf(service, host);
    const servicePort = entry.servicePort ?? settings.servicePort;
    const values = {
      ...known,
      service,
      host: host.host,
      instance_id: instanceId,
      ...(servicePort === undefined ? {} : { port: String(servicePort) }),
    };
    return {
      instanceId,
      host: host.host,
      port: host.port,
      deployPath: deployPathOf(settings, values),
    };
  });
  return { service, places };
}

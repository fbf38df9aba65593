import { InvalidRequestError } from '@floy/domain';
import { readKey } from '../../config/check-config.js';
import type { Place, PlaceNames, ServicePlaces } from '../deployer.js';
import { instanceIdOf } from './connection.js';
import { deployPathOf, resolvePhysicalSettings, serviceNameOf } from './settings.js';

type Config = Readonly<Record<string, unknown>>;

/** Where an instance lives on a host: what a physical target keeps as its place. */
export interface HostPlace {
  readonly host: string;
  /** Port of SSH. */
  readonly port: number;
  readonly deploy_path: string;
}

/** The place of a physical target. Throws InvalidRequestError for one of another kind. */
export function hostPlaceOf(place: Readonly<Record<string, unknown>>): HostPlace {
  const { host, port, deploy_path } = place;
  if (typeof host === 'string' && typeof port === 'number' && typeof deploy_path === 'string')
    return { host, port, deploy_path };
  throw new InvalidRequestError('The target is not a place on a host');
}

/** The places of an application on the hosts of an environment: see `DeployerPlan.places`. */
export function placesOf(
  environment: Config,
  application: Config,
  names: PlaceNames,
): ServicePlaces {
  const settings = resolvePhysicalSettings(environment, application);
  const standardPort = readKey('ssh_port', environment) ?? 22;
  const known = { ...names, version: names.git_tag };
  const service = serviceNameOf(settings, known);
  const places = (readKey('hosts', environment) ?? []).map((entry): Place => {
    const host = { ...entry, port: entry.port ?? standardPort, user: entry.user ?? '' };
    const instanceId = instanceIdOf(service, host);
    const servicePort = entry.servicePort ?? settings.servicePort;
    const deploy_path = deployPathOf(settings, {
      ...known,
      service,
      host: host.host,
      instance_id: instanceId,
      ...(servicePort === undefined ? {} : { port: String(servicePort) }),
    });
    const place: HostPlace = { host: host.host, port: host.port, deploy_path };
    return {
      instanceId,
      // Names of hosts compare without case, and hold no spaces.
      key: `${host.host.toLowerCase()} ${host.port} ${deploy_path}`,
      place: { ...place },
      label: `${deploy_path} on ${host.host}:${host.port}`,
    };
  });
  return { service, places };
}

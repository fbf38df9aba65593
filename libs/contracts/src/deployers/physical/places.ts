import { InvalidRequestError } from '@floy/domain';
import { readKey } from '../../config/check-config.js';
import type { Place, PlaceNames, ServicePlaces } from '../deployer.js';
import type { ResolvedHost } from './connection.js';
import { instanceIdOf } from './instance-id.js';
import {
  deployPathOf,
  resolvePhysicalSettings,
  serviceNameOf,
  type PhysicalSettings,
} from './settings.js';

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
  const service = serviceNameOf(settings, valuesOf(names));
  const places = hostValues(environment, settings, service, names).map(
    ({ host, values }): Place => {
      const deploy_path = deployPathOf(settings, values);
      const place: HostPlace = { host: host.host, port: host.port, deploy_path };
      return {
        instanceId: values.instance_id,
        // Names of hosts compare without case, and hold no spaces.
        key: `${host.host.toLowerCase()} ${host.port} ${deploy_path}`,
        place: { ...place },
        label: `${deploy_path} on ${host.host}:${host.port}`,
      };
    },
  );
  refuseSharedIds(places);
  return { service, places };
}

/** Two instances with one id would be taken for one that has moved. */
function refuseSharedIds(places: readonly Place[]): void {
  const labels = new Map<string, string>();
  for (const { instanceId, label } of places) {
    const other = labels.get(instanceId);
    if (other !== undefined) {
      const reason = `${other} and ${label} would both be the instance ${instanceId}: give each host an instance_id of its own, with {{host}} in it`;
      throw new InvalidRequestError(`config.hosts: ${reason}`, { 'config.hosts': reason });
    }
    labels.set(instanceId, label);
  }
}

/** What is known of a version, an environment and an application before any host is. */
export function valuesOf(names: PlaceNames) {
  return { ...names, version: names.git_tag };
}

/** The hosts of an environment, each with what the templates of its paths may name. */
export function hostValues(
  environment: Config,
  settings: PhysicalSettings,
  service: string,
  names: PlaceNames,
) {
  const standardPort = readKey('ssh_port', environment) ?? 22;
  return (readKey('hosts', environment) ?? []).map((entry) => {
    const port = entry.port ?? standardPort;
    const host: ResolvedHost = { ...entry, port, user: entry.user ?? '' };
    const servicePort = entry.servicePort ?? settings.servicePort;
    const values = {
      ...valuesOf(names),
      service,
      host: host.host,
      instance_id: instanceIdOf({ ...names, service, port: servicePort }, host),
      ...(servicePort === undefined ? {} : { port: String(servicePort) }),
    };
    return { host, values };
  });
}

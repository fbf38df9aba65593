import { createHash } from 'node:crypto';
import { fillTemplate, placeholdersOf, type TemplateName } from '../../config/template.js';

/** What instance ids may name: nothing that another version or another release changes. */
const idNames: readonly string[] = [
  'service',
  'environment',
  'application',
  'host',
  'port',
] satisfies TemplateName[];

/** The signs of an id, and how many there may be. */
const idSigns = /^[A-Za-z0-9._:-]*$/;
const LONGEST = 128;
/** So long may be a name within an id before it is cut, and its hash. Characters. */
const LONGEST_NAME = 63;
const HASH = 8;

/** What an instance is named for, besides its host. */
export interface InstanceNames {
  readonly service: string;
  /** The environment's name. */
  readonly environment: string;
  /** The application's name. */
  readonly application: string;
  /** The port of the service where its host names none. */
  readonly port?: number;
}

/** What of a host its instances may be named for. */
interface NamedHost {
  readonly host: string;
  /** Port of SSH. */
  readonly port: number;
  readonly servicePort?: number;
  /** The template that the config gives it. */
  readonly instanceId?: string;
}

/** The reason to refuse the template of an instance's id, or undefined. */
export function instanceIdProblem(template: string): string | undefined {
  const known = idNames.map((each) => `{{${each}}}`).join(', ');
  const unknown = placeholdersOf(template).find(({ name }) => !idNames.includes(name));
  if (unknown !== undefined) return `{{${unknown.name}}} cannot be part of it; there are ${known}`;
  const signs = template.replaceAll(/\{\{[^{}]*\}\}/g, '');
  if (template !== '' && template.length <= LONGEST && idSigns.test(signs)) return undefined;
  return `must be 1 to ${LONGEST} characters of A-Za-z0-9._:- and ${known}`;
}

/**
 * The id of the instance of a service on a host: as the host says it, a template, else
 * `<service>-<environment>-<host>-<port of SSH>`, so that two environments may share a host. It stands
 * in paths, labels and URLs: a name that does not fit there is a slug with a short hash.
 */
export function instanceIdOf(names: InstanceNames, host: NamedHost): string {
  const environment = fitting(names.environment);
  if (host.instanceId === undefined)
    return `${names.service}-${environment}-${host.host}-${host.port}`;
  const port = host.servicePort ?? names.port;
  const values = {
    service: fitting(names.service),
    environment,
    application: fitting(names.application),
    host: fitting(host.host),
    ...(port === undefined ? {} : { port: String(port) }),
  };
  return fillTemplate(host.instanceId, values, 'instance_id');
}

/** A name as it is where it fits into an id, else what of it does and a hash that tells it apart. */
function fitting(name: string): string {
  if (name !== '' && name.length <= LONGEST_NAME && idSigns.test(name)) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH);
  const words = name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return [
    ...words
      .join('-')
      .slice(0, LONGEST_NAME - HASH - 1)
      .split('-'),
    hash,
  ]
    .filter((word) => word !== '')
    .join('-');
}

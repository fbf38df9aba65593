import { isIPv6 } from 'node:net';
import { Type } from 'typebox';
import { placeholdersOf } from '../../config/template.js';
import { listOf, type Report, type ValueKind } from '../../config/value-kinds.js';
import { instanceIdProblem } from './instance-id.js';

/** One host of a physical environment as its config says it; what is left out has a default. */
export interface HostEntry {
  readonly host: string;
  /** Port of SSH. */
  readonly port?: number;
  readonly user?: string;
  /** Port the service itself listens on. */
  readonly servicePort?: number;
  /** A template: see `instanceIdOf`. */
  readonly instanceId?: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const port = Type.Integer({ minimum: 1, maximum: 65535 });
const hostObject = Type.Object(
  {
    host: Type.String(),
    port: Type.Optional(port),
    service_port: Type.Optional(port),
    instance_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    user: Type.Optional(Type.String()),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false },
);

// A host may begin neither with a dash (an option of ssh) nor hold anything a shell or a URL reads.
const hostName = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/;
const zone = /^[A-Za-z0-9]+$/;
const userName = /^[A-Za-z_][A-Za-z0-9._-]{0,63}\$?$/;

/** `host`, `user@host:port`, `[::1]:22`, or an object; one of them. */
export const hostEntry: ValueKind<HostEntry> = {
  schema: Type.Union([Type.String(), hostObject]),
  read(value, path, report) {
    if (typeof value === 'string') return parseHost(value, path, report);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return void report(path, 'must be text such as user@host:port, or an object with host');
    }
    return readObject(value as Record<string, unknown>, path, report);
  },
};

const list = listOf(hostEntry);

/** The hosts of an environment: at least one, and no instance id twice. */
export const hostList: ValueKind<readonly HostEntry[]> = {
  schema: list.schema,
  read(value, path, report) {
    const hosts = list.read(value, path, report);
    if (hosts === undefined) return undefined;
    if (hosts.length === 0) return void report(path, 'must name at least one host');
    const seen = new Set<string>();
    const again = hosts.findIndex(({ instanceId: id }) => {
      if (id === undefined || placeholdersOf(id).length > 0) return false;
      return seen.size === seen.add(id).size;
    });
    if (again < 0) return hosts;
    return void report(`${path}[${again}].instance_id`, 'is the instance id of another host');
  },
};

/** Parses `host`, `user@host`, `host:port`, `user@[::1]:port`. */
export function parseHost(value: string, path: string, report: Report): HostEntry | undefined {
  const at = value.lastIndexOf('@');
  const user = at < 0 ? undefined : value.slice(0, at);
  const rest = value.slice(at + 1);
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(rest);
  const colons = rest.split(':').length - 1;
  const bare = bracketed === null && colons > 1;
  const host = bracketed?.[1] ?? (bare ? rest : rest.split(':')[0]!);
  const portText = bracketed?.[2] ?? (colons === 1 && !bracketed ? rest.split(':')[1] : undefined);
  return checked({ host, user, port: portText, metadata: {} }, path, report, () => path);
}

const fields = ['host', 'port', 'service_port', 'instance_id', 'user', 'metadata'];

function readObject(
  value: Record<string, unknown>,
  path: string,
  report: Report,
): HostEntry | undefined {
  let sound = true;
  for (const name of Object.keys(value)) {
    if (fields.includes(name)) continue;
    sound = false;
    report(`${path}.${name}`, `is not known; a host has ${fields.join(', ')}`);
  }
  const metadata = readMetadata(value['metadata'], `${path}.metadata`, report);
  const entry = checked(
    {
      host: value['host'],
      user: value['user'],
      port: value['port'],
      servicePort: value['service_port'],
      instanceId: value['instance_id'],
      metadata: metadata ?? {},
    },
    path,
    report,
    (field) => `${path}.${field}`,
  );
  return sound && metadata !== undefined ? entry : undefined;
}

interface Unchecked {
  readonly host: unknown;
  readonly user?: unknown;
  readonly port?: unknown;
  readonly servicePort?: unknown;
  readonly instanceId?: unknown;
  readonly metadata: Readonly<Record<string, string>>;
}

function checked(
  raw: Unchecked,
  path: string,
  report: Report,
  at: (field: string) => string,
): HostEntry | undefined {
  let sound = true;
  const refuse = (field: string, reason: string): undefined => {
    sound = false;
    report(at(field), reason);
    return undefined;
  };
  const unfit = hostProblem(raw.host);
  const host = unfit === undefined ? String(raw.host) : refuse('host', unfit);
  const words = (field: string, value: unknown, shape: RegExp, expected: string) => {
    if (value === undefined) return undefined;
    return typeof value === 'string' && shape.test(value) ? value : refuse(field, expected);
  };
  const ports = (field: string, value: unknown) => {
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
    const fits = typeof number === 'number' && Number.isInteger(number);
    return fits && number >= 1 && number <= 65535
      ? number
      : refuse(field, 'must be a port from 1 to 65535');
  };
  const instanceId = (value: unknown) => {
    if (value === undefined) return undefined;
    const problem = typeof value === 'string' ? instanceIdProblem(value) : 'must be text';
    return problem === undefined ? (value as string) : refuse('instance_id', problem);
  };
  const entry = {
    port: ports('port', raw.port),
    user: words('user', raw.user, userName, 'must be the name of a user'),
    servicePort: ports('service_port', raw.servicePort),
    instanceId: instanceId(raw.instanceId),
    metadata: raw.metadata,
  };
  return sound && host !== undefined ? { host, ...entry } : undefined;
}

/** Why a host cannot be reached by this, or undefined. */
function hostProblem(host: unknown): string | undefined {
  const expected = 'must be the name or address of a host';
  if (typeof host !== 'string') return expected;
  const [address = '', ...zones] = host.split('%');
  if (isIPv6(address) && zones.length < 2 && zones.every((each) => zone.test(each))) {
    return undefined;
  }
  if (hostName.test(host)) return undefined;
  if (/^[^@]*@/.test(host)) return `${expected} alone: the user belongs into user`;
  return /^[^:]+:\d+$|^\[.*\](:\d+)?$/.test(host)
    ? `${expected} alone: the port belongs into port`
    : expected;
}

function readMetadata(
  value: unknown,
  path: string,
  report: Report,
): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return void report(path, 'must map names to text');
  }
  const entries = Object.entries(value);
  const wrong = entries.find(([, each]) => typeof each !== 'string');
  if (wrong !== undefined) return void report(`${path}.${wrong[0]}`, 'must be text');
  return Object.fromEntries(entries) as Record<string, string>;
}

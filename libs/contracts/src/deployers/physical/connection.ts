import { InvalidRequestError } from '@floy/domain';
import { readKey } from '../../config/check-config.js';
import { decodePrivateKey } from '../../config/key-material.js';
import type { HostConnection } from './host-settings.js';
import type { HostEntry } from './hosts.js';

type Config = Readonly<Record<string, unknown>>;

/** How the hosts of an environment are reached: always of today, never from a snapshot. */
export interface PhysicalConnection {
  readonly hosts: readonly ResolvedHost[];
  /** The private key decoded; undefined when `ssh_key` cannot be decoded. */
  readonly privateKey: string | undefined;
  readonly hostKeys: readonly string[];
  readonly hostKeyPolicy: 'pin-first-seen' | 'strict';
}

/** A host with the environment's defaults in place. */
export interface ResolvedHost extends HostEntry {
  readonly port: number;
  readonly user: string;
}

/** Throws InvalidRequestError naming the key that is wrong or missing. */
export function resolvePhysicalConnection(environment: Config): PhysicalConnection {
  const hosts = readKey('hosts', environment) ?? [];
  if (hosts.length === 0) throw missing('hosts', 'must name at least one host');
  const user = readKey('ssh_user', environment) ?? 'root';
  const port = readKey('ssh_port', environment) ?? 22;
  const key = readKey('ssh_key', environment);
  if (key === undefined) throw missing('ssh_key', 'is required');
  return {
    hosts: hosts.map((host) => ({
      ...host,
      port: host.port ?? port,
      user: host.user ?? user,
    })),
    privateKey: decodePrivateKey(key),
    hostKeys: readKey('host_keys', environment) ?? [],
    hostKeyPolicy: readKey('host_key_policy', environment) ?? 'pin-first-seen',
  };
}

/**
 * How to log in to one host.
 * Throws InvalidRequestError naming `ssh_key` when it could not be decoded.
 */
export function hostConnection(connection: PhysicalConnection, host: ResolvedHost): HostConnection {
  if (connection.privateKey === undefined) {
    throw missing('ssh_key', 'cannot be decoded: expected base64 of a private key');
  }
  return {
    host: host.host,
    port: host.port,
    user: host.user,
    privateKey: connection.privateKey,
  };
}

/** Throws InvalidRequestError where a host of the environment could not be logged in to. */
export function checkConnection(environment: Config): void {
  const connection = resolvePhysicalConnection(environment);
  for (const host of connection.hosts) hostConnection(connection, host);
}

function missing(key: string, reason: string): InvalidRequestError {
  return new InvalidRequestError(`config.${key} ${reason}`, { [`config.${key}`]: reason });
}

/** What the embedded server is started with, beside its data folder and socket. */
export interface PostgresOptions {
  /**
   * Whether what was committed survives a loss of power (it survives a crash of the server either
   * way). Off is for tests only.
   */
  readonly durable: boolean;
}

/** Only a part of its socket's name: it listens on no port. */
export const POSTGRES_PORT = 5432;
/** The name that Postgres gives its socket. */
export const POSTGRES_SOCKET = `.s.PGSQL.${POSTGRES_PORT}`;

/**
 * Settings given on the command line at each start, so that an existing data folder gets those of
 * the Floy that starts it: on no port, small, and saying nothing about the rows it works on.
 */
export function postgresSettings(options: PostgresOptions, socketFolder: string): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '',
    // A list: quoted, so that a comma in the path is none of it.
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    port: POSTGRES_PORT,
    max_connections: 200,
    password_encryption: 'scram-sha-256',
    shared_buffers: '32MB',
    io_method: 'sync',
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    wal_level: 'minimal',
    max_wal_senders: 0,
    max_wal_size: '256MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Row contents are in the details of an error, which terse leaves out.
    log_error_verbosity: 'terse',
    log_parameter_max_length: 0,
    log_parameter_max_length_on_error: 0,
    log_checkpoints: 'off',
  };
  if (!options.durable) {
    settings['fsync'] = 'off';
    settings['synchronous_commit'] = 'off';
    settings['full_page_writes'] = 'off';
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

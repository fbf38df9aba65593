/** What the embedded server is started with, beside its data folder and port. */
export interface PostgresOptions {
  /**
   * Whether what was committed survives a loss of power (it survives a crash of the server either
   * way). Off is for tests only.
   */
  readonly durable: boolean;
}

/**
 * Settings given on the command line at each start, so that an existing data folder gets those of
 * the Floy that starts it: loopback only, small, and saying nothing about the rows it works on.
 */
export function postgresSettings(options: PostgresOptions, port: number): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
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

/** Where one sshd listens and keeps its files. */
export interface SshdConfig {
  readonly port: number;
  readonly hostKeyFile: string;
  readonly authorizedKeysFile: string;
  /** HOME of whoever logs in. */
  readonly home: string;
  /** Lines that come first: sshd uses the first value it reads of a keyword. */
  readonly extra: readonly string[];
}

/** The text of an sshd_config that touches nothing of the machine's own configuration. */
export function sshdConfigText(config: SshdConfig): string {
  return [
    ...config.extra,
    `Port ${config.port}`,
    'ListenAddress 127.0.0.1',
    `HostKey "${config.hostKeyFile}"`,
    `AuthorizedKeysFile "${config.authorizedKeysFile}"`,
    // The user's own login files differ from machine to machine, and some take longer than the work.
    `SetEnv "HOME=${config.home}"`,
    'PidFile none',
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    'StrictModes no',
    'PrintMotd no',
    'PrintLastLog no',
    'UseDNS no',
    'MaxStartups 200',
    'MaxSessions 20',
    'LogLevel VERBOSE',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

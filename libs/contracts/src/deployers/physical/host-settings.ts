/**
 * What a release needs to know to bring one service to one host, read from the sealed snapshot of
 * the deployment with every template filled in for that host. Times are seconds.
 */
export interface HostSettings {
  readonly serviceName: string;
  /** Absolute path on the host under which everything of this service lives. */
  readonly deployPath: string;
  readonly restartCommand: string;
  readonly statusCommand: string;
  readonly stopCommand?: string;
  readonly preSwitchCommand?: string;
  /** Runs on the first host of the release only (`pre_switch_command` with `run_once`). */
  readonly preSwitchRunOnce: boolean;
  readonly postSwitchCommand?: string;
  readonly drainCommand?: string;
  readonly undrainCommand?: string;
  readonly health: HealthSettings;
  /**
   * Written to a 0600 file below `.floy` and given to every command: `env`, secrets, and each value
   * of the templates as `FLOY_…`, for commands that need any text.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** The values of `environment` that must never be printed. */
  readonly secretValues: readonly string[];
  /** Paths relative to the release that live in `shared/` and are linked into each release. */
  readonly sharedPaths: readonly string[];
  readonly keepReleases: number;
  /** Whether Floy sends the artifact, or the host fetches it. */
  readonly transfer: 'push' | 'pull';
  /** Deadline of the whole work on this instance. */
  readonly timeoutSeconds: number;
}

export interface HealthSettings {
  readonly url?: string;
  /** `host` asks through the SSH connection, `deployer` from the worker itself. */
  readonly from: 'host' | 'deployer';
  readonly command?: string;
  readonly timeoutSeconds: number;
  readonly minHealthySeconds: number;
}

/** How to reach a host: always of today, never from a snapshot. */
export interface HostConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The private key in OpenSSH or PEM form (decoded). */
  readonly privateKey: string;
}

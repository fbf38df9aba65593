/** One of the demo's hosts, as its environment names it. */
export interface DemoHost {
  readonly name: string;
  /** Port of SSH. */
  readonly sshPort: number;
  /** Port of the service. */
  readonly servicePort: number;
  readonly hostKeyFingerprint: string;
}

/** What the config of the environment says. */
export interface EnvironmentFacts {
  readonly hosts: readonly DemoHost[];
  readonly user: string;
  readonly privateKey: string;
  /** The folder that stands for the disks of all hosts. */
  readonly folder: string;
  /** The Node that the hosts run the service with. */
  readonly node: string;
}

/**
 * Seconds until a host has to be healthy. A broken version is given so long to recover, and Node
 * has to start within it also on a machine that is busy.
 */
const HEALTH_SECONDS = 6;

/** The config of an environment with the demo's hosts. */
export function environmentConfig(facts: EnvironmentFacts): Record<string, unknown> {
  return {
    hosts: facts.hosts.map(({ name, sshPort, servicePort }) => ({
      host: '127.0.0.1',
      port: sshPort,
      service_port: servicePort,
      instance_id: name,
    })),
    ssh_user: facts.user,
    ssh_key: Buffer.from(facts.privateKey).toString('base64'),
    host_keys: facts.hosts.map(({ hostKeyFingerprint }) => hostKeyFingerprint),
    host_key_policy: 'strict',
    // All hosts are on one disk here, so each needs a path of its own.
    deploy_path: `${facts.folder}/{{instance_id}}/greeter`,
    restart_command: `sh service.sh restart ${quote(facts.node)} {{port}} {{instance_id}}`,
    status_command: 'sh service.sh status',
    stop_command: 'sh service.sh stop',
    health_check_url: 'http://127.0.0.1:{{port}}/healthz',
    health_check_timeout: HEALTH_SECONDS,
    min_healthy_seconds: 1,
    batch_size: 1,
    keep_releases: 3,
  };
}

/** The config of the application. `node` is one that builds may run. */
export function applicationConfig(node: string): Record<string, unknown> {
  return {
    build_command: `${quote(node)} build.mjs "$FLOY_VERSION" "$FLOY_GIT_COMMIT"`,
    test_command: `${quote(node)} --test check.mjs`,
    artifact_path: 'dist',
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

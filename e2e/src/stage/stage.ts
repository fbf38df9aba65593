import { join } from 'node:path';
import type { Deployment } from '@floy/contracts';
import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { waitFor } from '@floy/testing/wait-for';
import { hostCommands, makeRepository, readLedger, type TestRepository } from './application.js';
import { startFleet, type Fleet, type FleetOptions } from './fleet.js';

export interface StageOptions extends FleetOptions {
  hosts: number;
  tags: readonly string[];
  /** How long a restart on a host and a build take. Seconds. */
  restartSeconds?: number;
  buildSeconds?: number;
  applications?: readonly string[];
  /** Added to the environment's config. */
  config?: Readonly<Record<string, unknown>>;
  /** Added to each application's config. */
  applicationConfig?: Readonly<Record<string, unknown>>;
  /** The address of the repository in this folder, where it is not the folder itself. */
  repositoryUrl?(folder: string): string;
}

/** A fleet, hosts, an application with versions and an environment: ready to deploy. */
export interface Stage {
  readonly fleet: Fleet;
  readonly hosts: SshdFleet;
  readonly repository: TestRepository;
  readonly environmentId: string;
  /** By name. */
  readonly applicationIds: ReadonlyMap<string, string>;
  readonly versionIds: ReadonlyMap<string, string>;
  deploy(tag: string, applications?: readonly string[]): Promise<Deployment>;
  /** Waits until the deployment is settled, by looking at the database: the gateway may be dead. */
  settled(id: string, timeoutMs?: number): Promise<{ status: string; error_message: string }>;
  /** Waits until something in work on the deployment is so far. */
  reaches(id: string, point: 'building' | 'staging' | 'switching' | 'restarting'): Promise<void>;
  /** The places of an application on every host. */
  places(application?: string): string[];
  stop(): Promise<void>;
}

export async function setStage(options: StageOptions): Promise<Stage> {
  const names = options.applications ?? ['api'];
  const fleet = await startFleet(options);
  const hosts = await startSshdFleet({ folder: join(fleet.folder, 'hosts'), hosts: options.hosts });
  const made = await makeRepository(join(fleet.folder, 'repository'), options.tags);
  const repository = { ...made, url: options.repositoryUrl?.(made.url) ?? made.url };
  const { client } = fleet;

  const applicationIds = new Map<string, string>();
  for (const name of names) {
    const { id } = await client.createApplication({
      name,
      repository: repository.url,
      type: 'service',
      config: {
        build_command: `sleep ${options.buildSeconds ?? 0}; mkdir out; cp version out/`,
        artifact_path: 'out',
        ...options.applicationConfig,
      },
    });
    applicationIds.set(name, id);
  }
  const { id: environmentId } = await client.createEnvironment({
    name: 'hosts',
    type: 'physical',
    config: {
      hosts: hosts.hosts.map(({ host, port }) => ({ host, port })),
      ssh_user: hosts.user,
      ssh_key: Buffer.from(hosts.privateKey).toString('base64'),
      deploy_path: join(fleet.folder, 'places', '{{instance_id}}'),
      batch_size: '1',
      min_healthy_seconds: 0,
      ...hostCommands(options.restartSeconds ?? 0),
      ...options.config,
    },
    is_active: true,
  });
  const versionIds = new Map<string, string>();
  for (const tag of options.tags) {
    const git_commit = repository.commits.get(tag) ?? '';
    const { id } = await client.createVersion({
      git_tag: tag,
      git_commit,
      repository: repository.url,
    });
    versionIds.set(tag, id);
  }
  const idOf = (ids: ReadonlyMap<string, string>, name: string): string => {
    const id = ids.get(name);
    if (id === undefined) throw new Error(`the stage has no ${name}`);
    return id;
  };

  const stage: Stage = {
    fleet,
    hosts,
    repository,
    environmentId,
    applicationIds,
    versionIds,
    deploy: (tag, applications = names) =>
      fleet.client.createDeployment({
        version_id: idOf(versionIds, tag),
        application_ids: applications.map((name) => idOf(applicationIds, name)),
        environment_id: environmentId,
      }),
    settled: (id, timeoutMs = 60_000) =>
      waitFor(
        `${id} to be settled`,
        async () => {
          const [row] = await fleet.query<{
            status: string;
            error_message: string;
            settled_at: Date | null;
          }>('SELECT status, error_message, settled_at FROM deployments WHERE id = $1', [id]);
          return row?.settled_at ? row : false;
        },
        { timeoutMs, everyMs: 100 },
      ),
    async reaches(id, point) {
      const sql = {
        building:
          "SELECT 1 FROM tasks WHERE deployment_id = $1 AND type = 'build' AND status = 'running'",
        staging:
          "SELECT 1 FROM release_instances WHERE deployment_id = $1 AND status = 'staging' AND started_at IS NOT NULL",
        switching:
          "SELECT 1 FROM release_instances WHERE deployment_id = $1 AND status = 'switching' AND started_at IS NOT NULL",
        restarting: "SELECT 1 FROM release_instances WHERE deployment_id = $1 AND step = 'switch'",
      }[point];
      await waitFor(`${id} to be ${point}`, async () => (await fleet.query(sql, [id])).length > 0, {
        timeoutMs: 30_000,
        everyMs: 10,
      });
      if (point !== 'restarting') return;
      await waitFor(`a restart on a host`, async () => {
        const ledgers = await Promise.all(stage.places(names[0]).map(readLedger));
        return ledgers.some((lines) => lines.at(-1)?.what === 'begin');
      });
    },
    places: (application = names[0] ?? '') =>
      hosts.hosts.map(({ host, port }) =>
        join(fleet.folder, 'places', `${application}-hosts-${host}-${port}`),
      ),
    async stop() {
      await fleet.stop();
      await hosts.stop();
    },
  };
  return stage;
}

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type Client } from '@floy/client/client';
import { startFloy } from '../floy-process.js';
import type { Repository } from '../repository.js';
import { processesBelow, processorSecondsOf } from '../processor-time.js';
import { peakMegabytes } from '../resident.js';
import type { FirstHosts } from './openssh.js';
import { keepReading, type Reads } from './reads.js';

/** One deployment by a Floy that has never seen its hosts. */
export interface FirstContact {
  readonly hosts: FirstHosts;
  /** What is deployed: its file `data`. */
  readonly repository: Repository;
  /** A folder for Floy and for the places on the hosts. */
  readonly folder: string;
  readonly nodeOptions: readonly string[];
}

/** What came of it. */
export interface FirstContactSeen {
  /** From the POST to the deployment's end. */
  readonly seconds: number;
  readonly status: string;
  readonly reason: string;
  readonly reads: Reads;
  /** Pieces of logs that Floy says it lost, and lines of the hosts' that are in no log. */
  readonly lost: { readonly pieces: number; readonly lines: number };
  /** The most that Floy's own process had in memory. Megabytes. */
  readonly peakMegabytes: number;
  /** How long processors worked meanwhile for Floy and the servers of its own. */
  readonly processorSeconds: number;
}

/** What the restart on each host prints, so that lines can be missed. */
const LINES = 20;
export const RESTART = `i=0; while [ $i -lt ${LINES} ]; do i=$((i + 1)); echo "restarted $i"; done`;

/**
 * Starts a new Floy, has it build the artifact, and then deploy to all hosts at once for the first
 * time while the API is read. The artifact is there before, as the peer's archive is.
 */
export async function firstContact(of: FirstContact): Promise<FirstContactSeen> {
  const home = join(of.folder, 'home');
  await mkdir(home, { recursive: true });
  const token = `floy_pat_${randomBytes(32).toString('hex')}`;
  const floy = await startFloy(home, {
    env: { FLOY_ADMIN_TOKEN: token, FLOY_LOG_LEVEL: 'warn' },
    nodeOptions: of.nodeOptions,
  });
  try {
    const client = createClient({ url: floy.address, token });
    const { build, deploy } = await prepare(client, of);
    const built = await client.waitForDeployment((await client.createDeployment(build)).id);
    if (built.status !== 'success') throw new Error(`The build failed: ${built.error_message}`);

    const worked = async () => processorSecondsOf([floy.pid, ...(await processesBelow(home))]);
    const before = await worked();
    const began = performance.now();
    const { id } = await client.createDeployment(deploy);
    const reading = keepReading([
      () => client.getDeployment(id),
      () => client.listDeployments(),
      () => client.getProgress(id),
    ]);
    const end = await client.waitForDeployment(id, { timeoutMs: 300_000 });
    const seconds = (performance.now() - began) / 1000;
    const processorSeconds = (await worked()) - before;
    const reads = await reading.stop();
    const { tasks } = await client.listTasks({ deployment_id: id, type: 'deploy' });
    const seen = await countLines(client, tasks[0]?.id ?? '');
    const pieces = floy.log.filter((line) => /log was lost/.test(String(line['msg']))).length;
    return {
      ...{ seconds, reads, status: end.status, reason: end.error_message },
      lost: { pieces, lines: of.hosts.hosts.length * LINES - seen },
      peakMegabytes: await peakMegabytes(floy.pid),
      processorSeconds,
    };
  } finally {
    await floy.stop();
  }
}

async function prepare(client: Client, { hosts, repository, folder }: FirstContact) {
  const version = await client.createVersion({
    repository: repository.url,
    git_tag: 'v1.0.0',
    git_commit: repository.commit,
  });
  const application = await client.createApplication({
    name: 'api',
    repository: repository.url,
    type: 'service',
    config: { build_command: 'mkdir out && cp data out/', artifact_path: 'out' },
  });
  const environment = async (name: string, of: FirstHosts['hosts']): Promise<string> => {
    const { id } = await client.createEnvironment({
      name,
      type: 'physical',
      is_active: true,
      config: {
        hosts: of.map(({ port }) => ({ host: '127.0.0.1', port, instance_id: `${name}-${port}` })),
        ssh_user: of[0]?.user ?? '',
        ssh_key: Buffer.from(hosts.privateKey).toString('base64'),
        deploy_path: join(folder, 'places', '{{instance_id}}'),
        batch_size: '100%',
        max_failures: '100%',
        auto_rollback: false,
        restart_command: RESTART,
        status_command: 'true',
        min_healthy_seconds: 0,
      },
    });
    return id;
  };
  const wish = { version_id: version.id, application_ids: [application.id] };
  // One host only, and not under the connection that is measured: it is kept for half a minute.
  const [first] = hosts.hosts;
  if (first === undefined) throw new Error('there is no host');
  return {
    build: { ...wish, environment_id: await environment('one', [first]) },
    deploy: { ...wish, environment_id: await environment('all', hosts.hosts) },
  };
}

/** Lines of the hosts' own that are in the log of the task. */
async function countLines(client: Client, taskId: string): Promise<number> {
  const limit = 1000;
  let count = 0;
  for (let after = 0; ;) {
    const { lines, complete } = await client.getTaskLogs(taskId, { after, limit });
    for (const { text } of lines) count += text.match(/^restarted \d+$/gm)?.length ?? 0;
    if (complete) return count;
    after = lines.at(-1)?.seq ?? after;
  }
}

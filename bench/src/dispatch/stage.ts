import { join } from 'node:path';
import { createClient } from '@floy/client/client';
import { startSshdFleet } from '@floy/local-servers/sshd';
import type { BenchRun } from '../bench.js';
import { makeRepository } from '../repository.js';
import { listenForFirstByte, type FirstByteListener } from './first-byte.js';

/** What a deployment of this bench is made of. */
export interface Wish {
  readonly version_id: string;
  readonly application_ids: readonly string[];
  readonly environment_id: string;
}

/** One application, one version of it, and one host behind the listener. */
export interface DispatchStage {
  readonly wish: Wish;
  readonly ssh: FirstByteListener;
}

/** Sets up what is deployed and where to, by the API. */
export async function setStage(
  run: BenchRun,
  floy: { readonly url: string; readonly token: string },
): Promise<DispatchStage> {
  const client = createClient(floy);
  const fleet = await startSshdFleet({ folder: join(run.folder, 'hosts'), hosts: 1 });
  run.onEnd(() => fleet.stop());
  const [host] = fleet.hosts;
  if (host === undefined) throw new Error('there is no host');
  const ssh = await listenForFirstByte(host);
  run.onEnd(() => ssh.close());

  const repository = await makeRepository(join(run.folder, 'repository'), { version: 'v1.0.0\n' });
  const version = await client.createVersion({
    repository: repository.url,
    git_tag: 'v1.0.0',
    git_commit: repository.commit,
  });
  const application = await client.createApplication({
    name: 'api',
    repository: repository.url,
    type: 'service',
    config: { build_command: 'mkdir out && cp version out/', artifact_path: 'out' },
  });
  const environment = await client.createEnvironment({
    name: 'one-host',
    type: 'physical',
    is_active: true,
    config: {
      hosts: [{ host: '127.0.0.1', port: ssh.port, instance_id: 'host-1' }],
      ssh_user: fleet.user,
      ssh_key: Buffer.from(fleet.privateKey).toString('base64'),
      deploy_path: join(run.folder, 'places', '{{instance_id}}'),
      restart_command: 'true',
      status_command: 'true',
      min_healthy_seconds: 0,
    },
  });
  const wish = {
    version_id: version.id,
    application_ids: [application.id],
    environment_id: environment.id,
  };
  return { wish, ssh };
}

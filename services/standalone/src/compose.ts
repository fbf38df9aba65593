import { rm } from 'node:fs/promises';
import { addressOf, compose as composeGateway } from '@floy/api-gateway';
import { compose as composeBuildRunner } from '@floy/build-runner';
import { catalogues } from '@floy/contracts';
import { migrate } from '@floy/database/migrate';
import { compose as composeDeploymentManager } from '@floy/deployment-manager';
import { compose as composePhysicalDeployer } from '@floy/physical-deployer';
import { passwordsIn } from '@floy/service-kit/config';
import { refuseTakenAddress } from '@floy/service-kit/listen-problem';
import type { Running, ServiceProcess } from '@floy/service-kit/run-service';
import { openRuntime } from '@floy/service-kit/runtime';
import { compose as composeWorkflowManager } from '@floy/workflow-manager';
import { announce } from './announce.js';
import { settingsFiles, type StandaloneConfig } from './config.js';
import { openHome } from './open-home.js';

/** Floy on one machine, at work. */
export interface RunningStandalone extends Running {
  /** The gateway's base URL. */
  readonly address: string;
  readonly adminToken: string;
}

/** Connections to Postgres that only the gateway has. */
const API_CONNECTIONS = 6;

/**
 * Starts all services in this process: one queue, listener, keeper of leases and relay for all of
 * them, one pool for the gateway and one for all others, on servers below FLOY_HOME unless others were given.
 */
export async function startStandalone(
  process: ServiceProcess<StandaloneConfig>,
  searchPath: string,
): Promise<RunningStandalone> {
  const { config, redactor, shutdown } = process;
  await refuseTakenAddress(addressOf(config));
  const home = await openHome(config, searchPath, process);
  const opened: (() => Promise<void>)[] = [home.close];
  const stop = async (): Promise<void> => {
    for (const close of opened.toReversed()) await close();
  };
  try {
    const passwords = [home.databaseUrl, home.redisUrl ?? ''].flatMap(passwordsIn);
    redactor.add([home.adminToken, home.encryptionKey, ...passwords]);
    await migrate(home.databaseUrl);
    shutdown.throwIfAborted();
    const runtime = await openRuntime(
      'standalone',
      {
        FLOY_DATABASE_URL: home.databaseUrl,
        FLOY_REDIS_URL: home.redisUrl,
        FLOY_ENCRYPTION_KEY: home.encryptionKey,
      },
      process,
      catalogues,
    );
    opened.push(runtime.close);
    const { deps, ready } = runtime;
    // What people read does not wait behind the hosts of a deployment.
    const api = runtime.apart('api', API_CONNECTIONS);
    const { artifacts } = home;
    const workers = await Promise.all([
      composeDeploymentManager(deps),
      composeWorkflowManager(deps),
      composeBuildRunner(deps, {
        artifacts,
        buildUsers: config.FLOY_BUILD_USERS,
        unconfined: config.FLOY_BUILD_UNCONFINED === 'yes',
        privateGit: config.FLOY_PRIVATE_GIT === 'yes',
        hidden: [home.folder, ...settingsFiles],
        packageHosts: config.FLOY_PACKAGE_HOSTS,
      }),
      composePhysicalDeployer(deps, { artifacts, publicUrl: config.FLOY_PUBLIC_URL }),
    ]);
    opened.push(async () => void (await Promise.all(workers.map((service) => service.stop()))));
    const gateway = await composeGateway(
      api,
      { ...config, FLOY_ADMIN_TOKEN: home.adminToken, FLOY_ARTIFACTS: artifacts },
      ready,
    );
    opened.push(gateway.stop, () => rm(home.addressFile, { force: true }));
    await announce(home, gateway.address);
    return { address: gateway.address, adminToken: home.adminToken, ready, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

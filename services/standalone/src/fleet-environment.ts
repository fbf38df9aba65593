import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivately } from '@floy/local-servers/kept-file';
import type { StandaloneConfig } from './config.js';
import type { FleetService } from './fleet-plan.js';
import type { Home } from './open-home.js';

/** Environment variables for a process. */
export type Variables = Readonly<Record<string, string>>;

/**
 * The environment of each service: what it reads and nothing more. Secrets are handed over as files
 * that only their owner can read, since an environment is shown by tools and inherited by children.
 */
export async function fleetEnvironment(
  home: Home,
  config: StandaloneConfig & { readonly FLOY_PORT: number },
  inherited: Readonly<Record<string, string | undefined>>,
): Promise<(service: FleetService) => Variables> {
  const folder = join(home.folder, 'fleet', 'settings');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const hidden = async (name: string, value: string): Promise<Variables> => {
    const file = join(folder, name);
    await writePrivately(file, value);
    return { [`${name}_FILE`]: file };
  };
  const core: Variables = {
    ...ofTheMachine(inherited),
    ...(await hidden('FLOY_DATABASE_URL', home.databaseUrl)),
    ...(home.redisUrl && (await hidden('FLOY_REDIS_URL', home.redisUrl))),
    ...(await hidden('FLOY_ENCRYPTION_KEY', home.encryptionKey)),
    FLOY_LOG_LEVEL: config.FLOY_LOG_LEVEL,
  };
  const own: Record<FleetService, Variables> = {
    'deployment-manager': {},
    'workflow-manager': {},
    'build-runner': {
      FLOY_ARTIFACTS: home.artifacts,
      FLOY_HOME: home.folder,
      FLOY_BUILD_USERS: config.FLOY_BUILD_USERS,
      FLOY_BUILD_UNCONFINED: config.FLOY_BUILD_UNCONFINED,
      FLOY_PRIVATE_GIT: config.FLOY_PRIVATE_GIT,
      FLOY_PACKAGE_HOSTS: config.FLOY_PACKAGE_HOSTS,
    },
    'physical-deployer': {
      FLOY_ARTIFACTS: home.artifacts,
      ...(config.FLOY_PUBLIC_URL && { FLOY_PUBLIC_URL: config.FLOY_PUBLIC_URL }),
    },
    'api-gateway': {
      ...(await hidden('FLOY_ADMIN_TOKEN', home.adminToken)),
      FLOY_ARTIFACTS: home.artifacts,
      FLOY_HOST: config.FLOY_HOST,
      FLOY_PORT: String(config.FLOY_PORT),
    },
  };
  return (service) => ({ ...core, ...own[service] });
}

/** What is not Floy's: PATH, proxies, locale. */
function ofTheMachine(inherited: Readonly<Record<string, string | undefined>>): Variables {
  const kept = Object.entries(inherited).filter(([name]) => !/^(FLOY_|npm_)/.test(name));
  return Object.fromEntries(kept.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

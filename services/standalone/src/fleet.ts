import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { addressOf } from '@floy/api-gateway';
import { migrate } from '@floy/database/migrate';
import { freePort } from '@floy/local-servers/free-port';
import { poll } from '@floy/local-servers/poll';
import { refuseTakenAddress } from '@floy/service-kit/listen-problem';
import { runService, type Running, type ServiceProcess } from '@floy/service-kit/run-service';
import { announce } from './announce.js';
import { env, settings, type StandaloneConfig } from './config.js';
import { fleetEnvironment } from './fleet-environment.js';
import { planFleet, programOf } from './fleet-plan.js';
import { endLeftOvers, keepProcess, type KeptProcess } from './fleet-process.js';
import { openHome } from './open-home.js';
import { COMPOSITION_STOP_LIMIT_MS } from './stop-limit.js';

/**
 * One process per service on one machine: `npm run fleet [-- physical-deployer=3 …]`. Processes
 * that end are started again.
 */
async function startFleet(
  process: ServiceProcess<StandaloneConfig>,
  words: readonly string[],
): Promise<Running> {
  const { config: given, logger, shutdown } = process;
  const plan = planFleet(words);
  const config = { ...given, FLOY_PORT: given.FLOY_PORT || (await freePort()) };
  await refuseTakenAddress(addressOf(config));
  const home = await openHome(config, env['PATH'] ?? '', process);
  const members: KeptProcess[] = [];
  const stop = async (): Promise<void> => {
    await rm(home.addressFile, { force: true });
    await Promise.all(members.map((member) => member.stop()));
    await home.close();
  };
  try {
    await migrate(home.databaseUrl);
    const variables = await fleetEnvironment(home, config, env);
    const folder = join(await realpath(home.folder), 'fleet');
    await endLeftOvers(folder, logger);
    for (const { service, name } of plan) {
      shutdown.throwIfAborted();
      members.push(
        await keepProcess({
          name,
          logger,
          program: programOf(service),
          env: variables(service),
          folder: join(folder, name),
        }),
      );
    }
    // Answers also while services still come up; whoever asks for readiness is told which do.
    void announceWhenReady(`http://127.0.0.1:${config.FLOY_PORT}`);
  } catch (error) {
    await stop();
    throw error;
  }
  async function announceWhenReady(address: string): Promise<void> {
    const look = () => areReady(members, shutdown);
    if (await poll(Infinity, look, { everyMs: 100 })) await announce(home, address);
  }
  return {
    stop,
    ready: async () =>
      Object.fromEntries(
        await Promise.all(
          members.map(async (member) => {
            const status = (await member.isReady()) ? ('ok' as const) : ('down' as const);
            return [member.name, { status }] as const;
          }),
        ),
      ),
  };
}

async function areReady(
  members: KeptProcess[],
  shutdown: AbortSignal,
): Promise<boolean | undefined> {
  if (shutdown.aborted) return false;
  const ready = await Promise.all(members.map((member) => member.isReady()));
  return ready.every(Boolean) || undefined;
}

await runService({
  name: 'fleet',
  settings,
  env,
  stopLimitMs: COMPOSITION_STOP_LIMIT_MS,
  start: (service) => startFleet(service, process.argv.slice(2)),
});

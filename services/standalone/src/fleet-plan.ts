import { fileURLToPath } from 'node:url';
import { ConfigError } from '@floy/service-kit/config';

/** The services of a fleet, in the order that they are started in. */
export const FLEET_SERVICES = [
  'deployment-manager',
  'workflow-manager',
  'build-runner',
  'physical-deployer',
  'api-gateway',
] as const;

/** The name of a service that a fleet starts. */
export type FleetService = (typeof FLEET_SERVICES)[number];

/** One process of a fleet. */
export interface FleetMember {
  readonly service: FleetService;
  /** The service, with a number from the second on. */
  readonly name: string;
}

/**
 * Who is started: one of each, or as many as words like `physical-deployer=3` say.
 *
 * @throws ConfigError naming a word that says nothing
 */
export function planFleet(words: readonly string[]): FleetMember[] {
  const counts = new Map<FleetService, number>(FLEET_SERVICES.map((service) => [service, 1]));
  for (const word of words) {
    const [name, count] = word.split('=');
    const service = FLEET_SERVICES.find((known) => known === name);
    if (service === undefined || !/^\d{1,2}$/.test(count ?? '')) {
      throw new ConfigError({
        arguments: `"${word}" is not like physical-deployer=3; there are ${FLEET_SERVICES.join(', ')}`,
      });
    }
    if (service === 'api-gateway' && Number(count) > 1) {
      throw new ConfigError({
        arguments: 'one machine has one port for the gateway: api-gateway=1 at most',
      });
    }
    counts.set(service, Number(count));
  }
  return [...counts].flatMap(([service, count]) =>
    Array.from({ length: count }, (_, index) => ({
      service,
      name: index === 0 ? service : `${service}-${index + 1}`,
    })),
  );
}

/** The program of a service, beside what its package exports. */
export function programOf(service: FleetService): string {
  return fileURLToPath(new URL('main.js', import.meta.resolve(`@floy/${service}`)));
}

import { freePort } from '@floy/local-servers/free-port';
import { startSshdFleet } from '@floy/local-servers/sshd';
import { MARK } from './processes.js';
import type { DemoHost } from './settings.js';

/** Three machines, as far as SSH can tell. */
export interface DemoHosts {
  readonly hosts: readonly DemoHost[];
  readonly user: string;
  readonly privateKey: string;
  stop(): Promise<void>;
}

const COUNT = 3;

/** Starts the hosts. Whatever runs on them carries the demo's mark. */
export async function startHosts(
  folder: string,
  mark: string,
  searchPath: string,
): Promise<DemoHosts> {
  const fleet = await startSshdFleet({
    folder,
    hosts: COUNT,
    config: [`SetEnv "${MARK}=${mark}"`],
    searchPath,
  });
  const ports = new Set<number>();
  while (ports.size < COUNT) ports.add(await freePort());
  const [...servicePorts] = ports;
  return {
    hosts: fleet.hosts.map(({ port, hostKeyFingerprint }, index) => ({
      name: `host-${index + 1}`,
      sshPort: port,
      servicePort: servicePorts[index] ?? 0,
      hostKeyFingerprint,
    })),
    user: fleet.user,
    privateKey: fleet.privateKey,
    stop: () => fleet.stop(),
  };
}

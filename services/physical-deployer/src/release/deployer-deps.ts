import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import type { ServiceDeps } from '@floy/service-kit/service';
import type { HostWork } from '../rollout/host-work.js';
import type { Hosts } from '../rollout/hosts.js';

/** What the handlers of this service share. */
export interface DeployerDeps extends ServiceDeps {
  readonly artifacts: ArtifactStore;
  readonly hosts: Hosts;
  /** Told of every step that was begun on a host. */
  readonly stepEnded: HostWork['stepEnded'];
  /** Where hosts reach the gateway, if they are to fetch artifacts. */
  readonly publicUrl: string | undefined;
}

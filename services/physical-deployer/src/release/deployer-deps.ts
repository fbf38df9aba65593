import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import type { ServiceDeps } from '@floy/service-kit/service';
import type { Hosts } from '../rollout/hosts.js';

/** What the handlers of this service share. */
export interface DeployerDeps extends ServiceDeps {
  readonly artifacts: ArtifactStore;
  readonly hosts: Hosts;
  /** Where hosts reach the gateway, if they are to fetch artifacts. */
  readonly publicUrl: string | undefined;
}

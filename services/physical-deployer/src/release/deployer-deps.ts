import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import type { ServiceDeps } from '@floy/service-kit/service';
import type { SharedRedactors } from '@floy/secrets/shared-redactors';
import type { HostWork } from '../rollout/host-work.js';
import type { Hosts } from '../rollout/hosts.js';

/** What the handlers of this service share. */
export interface DeployerDeps extends ServiceDeps {
  readonly artifacts: ArtifactStore;
  readonly hosts: Hosts;
  /** For the logs of tasks: the targets of a release mostly have the same secrets. */
  readonly redactors: SharedRedactors;
  /** Told of every step that was begun on a host. */
  readonly stepEnded: HostWork['stepEnded'];
  /** Where hosts reach the gateway, if they are to fetch artifacts. */
  readonly publicUrl: string | undefined;
}

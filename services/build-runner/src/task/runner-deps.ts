import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import type { ServiceDeps } from '@floy/service-kit/service';
import type { PackageRules } from '../package/package-address.js';
import type { Sandbox } from '../sandbox/sandbox.js';

/** What the handlers of this service share. */
export interface RunnerDeps extends ServiceDeps {
  readonly artifacts: ArtifactStore;
  readonly sandbox: Sandbox;
  /** Where the host keys of git servers are kept, for all runners of the installation. */
  readonly knownHostsFile: string;
  /** Whether git may fetch from hosts with private addresses. */
  readonly privateGit: boolean;
  /** Where packages may come from. */
  readonly packageRules: PackageRules;
}

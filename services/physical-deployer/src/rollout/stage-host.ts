import { environmentText } from '../commands/environment.js';
import { dateStep } from '../commands/date-release.js';
import { receiveArtifact, stageStep, type StagedRelease } from '../commands/stage.js';
import type { Hosts } from './hosts.js';
import {
  checkedPath,
  checkedRelease,
  type HostRelease,
  type HostWork,
  lockOf,
} from './host-work.js';
import { runStep } from './run-step.js';
import { sendArtifact } from './send-artifact.js';

/**
 * Brings a release to a host while the old one serves: checks the host, sends the artifact if it is
 * not there, unpacks it, links shared paths, writes the environment, and renames the whole into
 * `releases/`. Where it is there already, only its environment is written again, and its files are
 * given the time of the release that uses them again.
 */
export async function stageHost(hosts: Hosts, work: HostWork, release: HostRelease): Promise<void> {
  const { settings, artifact } = checkedRelease(release);
  const deployPath = checkedPath(settings.deployPath);
  const lock = lockOf(work, deployPath);
  const environment = environmentText(settings.environment);
  const staged: StagedRelease = {
    deployPath,
    releaseDir: release.releaseDir,
    version: release.version,
    sha256: artifact.sha256,
    size: artifact.size,
    filesAt: release.filesAt,
    link: artifact.link?.(),
  };

  const receive = () =>
    sendArtifact(hosts, work, artifact, receiveArtifact(lock, staged, environment));

  const received = await receive();
  if (received === 'complete') return;
  await runStep(hosts.pool, work, deployPath, {
    name: 'stage',
    script:
      received === 'undated'
        ? dateStep(lock, staged)
        : stageStep(lock, staged, { environment, sharedPaths: settings.sharedPaths }),
    timeoutSeconds: settings.timeoutSeconds,
    probe: async () => (await receive()) === 'complete',
  });
}

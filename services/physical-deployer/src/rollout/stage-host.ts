import { Readable } from 'node:stream';
import { environmentText } from '../commands/environment.js';
import { receiveArtifact, stageStep, type StagedRelease } from '../commands/stage.js';
import { checkArchive } from '@floy/service-kit/check-archive';
import type { Hosts } from './hosts.js';
import {
  checkedPath,
  checkedRelease,
  type HostRelease,
  type HostWork,
  lockOf,
} from './host-work.js';
import { runScript } from './run-script.js';
import { runStep } from './run-step.js';
import { withHost } from './with-host.js';

/** The slowest upload that is waited for: 64 kbit/s, and a minute for everything else. */
const SLOWEST_BYTES_PER_MS = 8;
const PATIENCE_MS = 60_000;

/**
 * Brings a release to a host while the old one serves: checks the host, sends the artifact if it is
 * not there, unpacks it, links shared paths, writes the environment, and renames the whole into
 * `releases/`. Does nothing when it is there already.
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
  };

  // Only what is sent has to be there and to be looked into.
  async function* checked(): AsyncGenerator<Buffer> {
    await hosts.checkOnce(artifact.sha256, () => checkArchive(artifact.open()));
    work.log(`Sending ${artifact.size} bytes`);
    yield* artifact.open();
  }
  const receive = (): Promise<string> =>
    withHost(hosts.pool, work, async (client) => {
      let state = '';
      await runScript(client, receiveArtifact(lock, staged), {
        signal: work.signal,
        timeoutMs: PATIENCE_MS + artifact.size / SLOWEST_BYTES_PER_MS,
        input: {
          size: artifact.size,
          open: () => Readable.from(checked(), { objectMode: false }),
        },
        onMark: (word) => (state = word),
      });
      return state;
    });

  if ((await receive()) === 'complete') return;
  await runStep(hosts.pool, work, deployPath, {
    name: 'stage',
    script: stageStep(lock, staged, { environment, sharedPaths: settings.sharedPaths }),
    timeoutSeconds: settings.timeoutSeconds,
    probe: async () => (await receive()) === 'complete',
  });
}

import { consume } from '@floy/messaging/consume';
import { createSharedRedactors } from '@floy/secrets/shared-redactors';
import { openArtifactStore } from '@floy/service-kit/artifact-store';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { answerQuestionHandler } from './handlers/answer-question.js';
import { lookAtTargetHandler } from './handlers/look-at-target.js';
import { stageInstanceHandler } from './handlers/stage-instance.js';
import { stopTargetHandler } from './handlers/stop-target.js';
import { switchInstanceHandler } from './handlers/switch-instance.js';
import type { DeployerDeps } from './release/deployer-deps.js';
import { createHosts } from './rollout/hosts.js';
import { observeHosts } from './rollout/host-metrics.js';

/**
 * How many hosts one worker acts on at once: nearly all of it is waiting, for a minute where a host
 * cannot be reached, and that must not keep others waiting too.
 */
const concurrency = 256;

export async function compose(
  deps: ServiceDeps,
  config: { artifacts: string; publicUrl?: string },
): Promise<RunningService> {
  const artifacts = await openArtifactStore(config.artifacts, deps.installation);
  const hosts = createHosts();
  const stepEnded = observeHosts(deps.metrics, hosts);
  const { publicUrl } = config;
  const redactors = createSharedRedactors();
  const own: DeployerDeps = { ...deps, artifacts, hosts, redactors, stepEnded, publicUrl };
  const releases = consume(
    deps,
    'physical-deployer',
    {
      'stage-instance': stageInstanceHandler(own),
      'switch-instance': switchInstanceHandler(own),
      'look-at-target': lookAtTargetHandler(own),
    },
    { concurrency },
  );
  const stops = consume(
    deps,
    'physical-stops',
    { 'stop-target': stopTargetHandler(own) },
    { concurrency },
  );
  const questions = consume(
    deps,
    'physical-questions',
    { 'answer-question': answerQuestionHandler(own) },
    { concurrency: 16 },
  );
  return {
    async stop() {
      await Promise.all([releases.stop(), stops.stop(), questions.stop()]);
      hosts.close();
    },
  };
}

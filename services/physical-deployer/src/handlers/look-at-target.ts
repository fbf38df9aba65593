import { beginLook, finishLook, type Looked } from '@floy/database/transitions/look-work';
import { isAnswer, messageOf, VerdictError } from '@floy/domain';
import type { LongHandler } from '@floy/messaging/handlers';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { hostWorkOf, outputOf } from '../release/host-work-of.js';
import { loadInstance, type InstanceContext } from '../release/instance-context.js';
import { observe } from '../release/run-instance.js';
import type { HostWork } from '../rollout/host-work.js';
import { stillHealthy } from '../rollout/await-health.js';
import { askedOf } from '../rollout/look-at-health.js';
import { idsOf } from './stage-instance.js';

/**
 * Looks whether what was switched on a target is still healthy. It has the target's lease, so that
 * nobody switches it meanwhile, and changes nothing on the host.
 */
export function lookAtTargetHandler(deps: DeployerDeps): LongHandler<'look-at-target'> {
  return {
    begin: (tx, ids) => beginLook(tx, idsOf(ids)),
    async run(work, ids) {
      let context: InstanceContext;
      try {
        context = await work.throughOutages(() =>
          loadInstance(deps.database, deps.sealer, ids.instance_id),
        );
      } catch (error) {
        if (!isAnswer(error)) throw error;
        const looked = { sickened: error.message, observation: null };
        return work.finish((tx) => finishLook(tx, idsOf(ids), looked));
      }
      const output = outputOf(deps, context);
      const host = hostWorkOf(deps, work, context, output);
      let looked: Looked;
      try {
        const reason = output.redactor.redact(await look(deps, host, context));
        if (reason !== '') output.log.write(`${reason}\n`);
        const asked = askedOf(context);
        const observation =
          reason === ''
            ? ({ releaseId: context.content.id, observed: 'new', asked } as const)
            : await observe(deps, host, context, { switching: false });
        looked = { sickened: reason, observation };
      } finally {
        await output.close();
      }
      work.signal.throwIfAborted();
      await work.finish((tx) => finishLook(tx, idsOf(ids), looked));
    },
    dead: (tx, ids, reason) =>
      finishLook(tx, idsOf(ids), {
        sickened: `Looking at it again was given up: ${reason}`,
        observation: null,
      }),
  };
}

/** Why the instance cannot be called healthy any more, or an empty text. */
async function look(
  deps: DeployerDeps,
  host: HostWork,
  { contentDir, version, settings, target }: InstanceContext,
): Promise<string> {
  try {
    await stillHealthy(deps.hosts, host, { releaseDir: contentDir, version, settings });
    return '';
  } catch (error) {
    host.signal.throwIfAborted();
    if (!isAnswer(error)) throw error;
    const what =
      error instanceof VerdictError
        ? 'was healthy, but is no longer'
        : 'could not be looked at again';
    return `${target.instance_id} ${what}: ${messageOf(error)}`;
  }
}

import { finishStop, isStopping } from '@floy/database/transitions/instance-work';
import { isAnswer, messageOf } from '@floy/domain';
import type { LongHandler } from '@floy/messaging/handlers';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { hostWorkOf, outputOf } from '../release/host-work-of.js';
import { loadInstance } from '../release/instance-context.js';
import { observe } from '../release/run-instance.js';
import { stopHost } from '../rollout/stop-host.js';
import { idsOf } from './stage-instance.js';

/**
 * Ends what an earlier epoch still runs on a target, and looks what is there then. It has the lease
 * of the target, hence the highest epoch: nothing earlier begins on the host any more.
 */
export function stopTargetHandler(deps: DeployerDeps): LongHandler<'stop-target'> {
  return {
    begin: (tx, { instance_id }) => isStopping(tx, instance_id),
    async run(work, ids) {
      const context = await work.throughOutages(() =>
        loadInstance(deps.database, deps.sealer, ids.instance_id),
      );
      const output = outputOf(deps, context);
      // Nothing of this may start a step: there is only stopping and looking.
      const host = { ...hostWorkOf(deps, work, context, output), retryCount: 1 };
      let observation = null;
      try {
        await stopHost(deps.hosts, host, context.settings.deployPath);
        observation = await observe(deps, host, context, {
          switching: context.instance.touched,
        });
      } catch (error) {
        host.signal.throwIfAborted();
        // An outage says nothing about the target: the step may live on there.
        if (!isAnswer(error)) throw error;
        output.log.write(`The target could not be stopped: ${messageOf(error)}\n`);
      } finally {
        await output.close();
      }
      await work.finish((tx) => finishStop(tx, idsOf(ids), observation));
    },
    dead: (tx, ids) => finishStop(tx, idsOf(ids), null),
  };
}

import { instanceAtWork, targetsOf, type TargetsAsked } from '@floy/database/read-models/targets';
import type { TargetRow } from '@floy/database/rows';
import { endLease, takeLease, type Lease } from '@floy/database/leases';
import { ConflictError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { isOn, type AskedHost } from './asked-hosts.js';

/** A target of the asked hosts, with the right to act on it. */
export interface HeldTarget {
  target: TargetRow;
  epoch: number;
}

/**
 * Holds the leases of the targets on the asked hosts while something is changed there; `signal`
 * aborts when one of them is lost. Throws ConflictError where a release has one: a restart in its
 * middle would spoil its verdict.
 */
export async function withTargets<T>(
  deps: DeployerDeps,
  of: TargetsAsked,
  asked: AskedHost[],
  signal: AbortSignal,
  act: (targets: HeldTarget[], signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { database, keeper } = deps;
  const since = performance.now();
  const leases: { target: TargetRow; lease: Lease }[] = [];
  await database.transaction(async (tx) => {
    leases.length = 0;
    const all = await targetsOf(tx, of);
    // Leases are taken in one order everywhere.
    const targets = all
      .filter((target) => asked.some((each) => isOn(each, target)))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const ids = targets.map(({ id }) => id);
    const inWork = await instanceAtWork(tx, ids);
    if (inWork !== undefined) throw busy(inWork);
    for (const target of targets) {
      const attempt = await takeLease(tx, target.id, keeper.taker());
      if (!attempt.taken) throw busy(target.instance_id);
      leases.push({ target, lease: attempt.lease });
    }
  });
  const held = leases.map(({ lease }) => keeper.hold(lease, since));
  try {
    const within = AbortSignal.any([signal, ...held.map((each) => each.signal)]);
    return await act(
      leases.map(({ target, lease }) => ({ target, epoch: lease.epoch })),
      within,
    );
  } finally {
    for (const each of held) each.letGo();
    const ending = database.transaction(async (tx) => {
      for (const { lease } of leases) await endLease(tx, lease);
    });
    // What was done is done, also where this cannot be written: a lease expires by itself.
    await ending.catch(() => undefined);
  }
}

function busy(instanceId: string): ConflictError {
  return new ConflictError(`A release is at work on ${instanceId}: ask again after it`);
}

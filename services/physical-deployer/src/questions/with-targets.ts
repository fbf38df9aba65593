import type { TargetRow } from '@floy/database/rows';
import { endLease, takeLease, type Lease } from '@floy/database/leases';
import { ConflictError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import type { AskedHost } from './asked-hosts.js';

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
  of: { environmentId: string; applicationId: string | null },
  asked: AskedHost[],
  signal: AbortSignal,
  act: (targets: HeldTarget[], signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { database, keeper } = deps;
  const targets = await targetsOn(deps, of, asked);
  const since = performance.now();
  const leases: { target: TargetRow; lease: Lease }[] = [];
  await database.transaction(async (tx) => {
    leases.length = 0;
    const ids = targets.map(({ id }) => id);
    const [inWork] = await tx.rows<{ instance_id: string }>(
      `SELECT instance_id FROM release_instances
       WHERE target_id = ANY(?) AND (status IN ('staging', 'switching') OR stopping) LIMIT 1`,
      [ids],
    );
    if (inWork) throw busy(inWork.instance_id);
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

async function targetsOn(
  deps: DeployerDeps,
  of: { environmentId: string; applicationId: string | null },
  asked: AskedHost[],
): Promise<TargetRow[]> {
  const query = deps.database
    .knex('targets')
    .where({ environment_id: of.environmentId })
    .orderBy('id');
  if (of.applicationId !== null) query.where({ application_id: of.applicationId });
  const rows = (await query) as TargetRow[];
  return rows.filter(({ host, port }) =>
    asked.some((each) => each.host.host === host && each.host.port === port),
  );
}

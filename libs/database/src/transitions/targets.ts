import type { Place } from '@floy/contracts';
import { ConflictError } from '@floy/domain';
import { newId } from '../ids.js';
import type { TargetRow } from '../rows.js';
import type { Transaction } from '../transaction.js';

/** Whose a target is. */
export interface TargetOwner {
  environmentId: string;
  applicationId: string;
}

/**
 * The targets of a service in an environment, made where they are new. A place on a host belongs to
 * one application in one environment, and an instance id to one place in the whole installation.
 */
export async function claimTargets(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<TargetRow[]> {
  const settled = await unmovedTargets(tx, owner, places);
  if (settled) return settled;
  const targets: TargetRow[] = [];
  for (const place of [...places].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1))) {
    const found = await findTarget(tx, owner, place);
    const columns = {
      host: place.host,
      port: place.port,
      deploy_path: place.deployPath,
      instance_id: place.instanceId,
    };
    if (found) {
      const update = tx.build('targets').where({ id: found.id }).update(columns).returning('*');
      const { rows } = await tx.built<TargetRow>(update);
      targets.push(...rows);
      continue;
    }
    const owned = { environment_id: owner.environmentId, application_id: owner.applicationId };
    const insert = tx.build('targets').insert({ id: newId('tgt'), ...columns, ...owned });
    const { rows } = await tx.built<TargetRow>(insert.returning('*'));
    targets.push(...rows);
  }
  return places.flatMap(
    ({ instanceId }) => targets.find((target) => target.instance_id === instanceId) ?? [],
  );
}

/** All of the targets in one look, where each is there and where it was: nearly always. */
async function unmovedTargets(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<TargetRow[] | undefined> {
  const rows = await tx.rows<TargetRow>(
    `SELECT t.* FROM unnest(?::text[], ?::text[], ?::int[], ?::text[])
       WITH ORDINALITY AS p(instance_id, host, port, deploy_path, position)
     JOIN targets t USING (instance_id, host, port, deploy_path)
     WHERE t.environment_id = ? AND t.application_id = ? ORDER BY p.position`,
    [
      places.map(({ instanceId }) => instanceId),
      places.map(({ host }) => host),
      places.map(({ port }) => port),
      places.map(({ deployPath }) => deployPath),
      owner.environmentId,
      owner.applicationId,
    ],
  );
  return rows.length === places.length ? rows : undefined;
}

/** The target of a place, unless the place or the instance's id belongs to somebody else. */
async function findTarget(
  tx: Transaction,
  owner: TargetOwner,
  place: Place,
): Promise<TargetRow | undefined> {
  const found = await tx.rows<TargetRow>(
    `SELECT * FROM targets WHERE (host = ? AND port = ? AND deploy_path = ?) OR instance_id = ?
     ORDER BY instance_id = ? DESC`,
    [place.host, place.port, place.deployPath, place.instanceId, place.instanceId],
  );
  for (const target of found) {
    const owned =
      target.environment_id === owner.environmentId &&
      target.application_id === owner.applicationId;
    if (owned && found.length === 1) return target;
    const sameId = target.instance_id === place.instanceId;
    const what = sameId
      ? `The instance id ${place.instanceId}`
      : `${place.deployPath} on ${place.host}:${place.port}`;
    const way = sameId ? '; a host of the environment can be given another instance_id' : '';
    throw new ConflictError(
      `${what} is used already: by instance ${target.instance_id} of application ` +
        `${target.application_id} in environment ${target.environment_id}${way}`,
    );
  }
  return undefined;
}

/** Throws ConflictError, naming both, where a place belongs to another application or environment. */
export async function refuseTakenPlaces(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<void> {
  if (await unmovedTargets(tx, owner, places)) return;
  for (const place of places) await findTarget(tx, owner, place);
}

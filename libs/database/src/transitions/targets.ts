import type { Place } from '@floy/contracts';
import { ConflictError } from '@floy/domain';
import { newId } from '../ids.js';
import type { TargetRow } from '../rows.js';
import { builtRowsOf, changesOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';

/** Whose a target is, and which kind of deployer acts on it. */
export interface TargetOwner {
  readonly kind: string;
  readonly environmentId: string;
  readonly applicationId: string;
}

/**
 * The targets of a service in an environment, made where they are new. A place belongs to one
 * application in one environment, and an instance id to one place in the whole installation.
 */
export async function claimTargets(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<TargetRow[]> {
  const settled = await unmovedTargets(tx, owner, places);
  if (settled) return settled;
  const inOrder = [...places].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  const targets: TargetRow[] = [];
  if (await areNew(tx, owner, places)) {
    const made = await tx.together(...inOrder.map((place) => settingTarget(tx, owner, place)));
    targets.push(...made.flat());
  } else {
    // Each may move into a place that another of them has left.
    for (const place of inOrder) {
      const found = await findTarget(tx, owner, place);
      targets.push(...(await tx.together(settingTarget(tx, owner, place, found))).flat());
    }
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
    `SELECT t.* FROM unnest(?::text[], ?::text[], ?::jsonb[])
       WITH ORDINALITY AS p(instance_id, place_key, place, position)
     JOIN targets t USING (instance_id, place_key, place)
     WHERE t.claimed AND t.kind = ? AND t.environment_id = ? AND t.application_id = ? ORDER BY p.position`,
    [
      places.map(({ instanceId }) => instanceId),
      places.map(({ key }) => key),
      places.map(({ place }) => JSON.stringify(place)),
      owner.kind,
      owner.environmentId,
      owner.applicationId,
    ],
  );
  return rows.length === places.length ? rows : undefined;
}

/** Whether nothing is known of any of the places and instances: a first deployment. */
async function areNew(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<boolean> {
  const known = await tx.row(
    `SELECT 1 FROM targets
     WHERE claimed AND ((kind = ? AND place_key = ANY(?)) OR instance_id = ANY(?)) LIMIT 1`,
    [owner.kind, places.map(({ key }) => key), places.map(({ instanceId }) => instanceId)],
  );
  return known === undefined;
}

/** Makes the target of a place, or moves the one that was found there. */
function settingTarget(
  tx: Transaction,
  owner: TargetOwner,
  place: Place,
  found?: TargetRow,
): Statement<TargetRow[]> {
  const columns = {
    kind: owner.kind,
    place_key: place.key,
    place: JSON.stringify(place.place),
    instance_id: place.instanceId,
  };
  const owned = { environment_id: owner.environmentId, application_id: owner.applicationId };
  const query = found
    ? tx.build('targets').where({ id: found.id }).update(columns)
    : tx.build('targets').insert({ id: newId('tgt'), ...columns, ...owned });
  return builtRowsOf<TargetRow>(query.returning('*'));
}

/** The target of a place, unless the place or the instance's id belongs to somebody else. */
async function findTarget(
  tx: Transaction,
  owner: TargetOwner,
  place: Place,
): Promise<TargetRow | undefined> {
  const found = await tx.rows<TargetRow>(
    `SELECT * FROM targets WHERE claimed AND ((kind = ? AND place_key = ?) OR instance_id = ?)
     ORDER BY instance_id = ? DESC`,
    [owner.kind, place.key, place.instanceId, place.instanceId],
  );
  for (const target of found) {
    const owned =
      target.environment_id === owner.environmentId &&
      target.application_id === owner.applicationId;
    if (owned && found.length === 1) return target;
    const sameId = target.instance_id === place.instanceId;
    const what = sameId ? `The instance id ${place.instanceId}` : place.label;
    const way = sameId
      ? '; the host can be given another instance_id, with {{service}}, {{environment}} and {{host}} in it'
      : '';
    throw new ConflictError(
      `${what} is used already: by instance ${target.instance_id} of application ` +
        `${target.application_id} in environment ${target.environment_id}${way}`,
    );
  }
  return undefined;
}

/**
 * Ends the claims of a deployment on targets that no deployment has ever switched: nothing of it
 * serves there, and a place must not be kept by who only wished to be there.
 */
export function endingVainClaims(deploymentId: string): Statement<number> {
  return changesOf(
    `UPDATE targets t SET claimed = false
     FROM deployments d JOIN deployment_applications a ON a.deployment_id = d.id
     WHERE d.id = ? AND t.environment_id = d.environment_id AND t.application_id = a.application_id
       AND t.claimed
       AND NOT EXISTS (SELECT 1 FROM release_instances i WHERE i.target_id = t.id AND i.touched)`,
    [deploymentId],
  );
}

/** Throws ConflictError, naming both, where a place belongs to another application or environment. */
export async function refuseTakenPlaces(
  tx: Transaction,
  owner: TargetOwner,
  places: readonly Place[],
): Promise<void> {
  if (await unmovedTargets(tx, owner, places)) return;
  if (await areNew(tx, owner, places)) return;
  for (const place of places) await findTarget(tx, owner, place);
}

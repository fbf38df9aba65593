import { deployerOf, readKey, type Deployers } from '@floy/contracts';
import { refuseUnfitValues, valueProblemsOf } from '@floy/database/places';
import type { Snapshot } from '@floy/database/snapshot';
import { InvalidRequestError } from '@floy/domain';

/**
 * Refuses what cannot be carried out whatever happens, before anything begins: settings that do not
 * fit together, values that commands must not be given, an environment (`today`, whole) that nobody
 * could reach. Throws InvalidRequestError naming the key.
 */
export function checkSnapshot(
  deployers: Deployers,
  { version, environment, applications }: Snapshot,
  today: Record<string, unknown>,
  { reuses }: { readonly reuses: boolean },
): void {
  const { plan } = deployerOf(deployers, environment.type);
  plan.checkConnection(today);
  for (const application of applications) {
    try {
      plan.rollout(environment.config, application.config);
    } catch (error) {
      if (!(error instanceof InvalidRequestError)) throw error;
      throw new InvalidRequestError(
        `Application ${application.name}: ${error.message}`,
        error.details,
      );
    }
    // What is put back was healthy there with the values and commands of its own snapshot.
    if (reuses) continue;
    const config = { ...today, ...environment.config };
    const asked = { environment: { ...environment, config }, application, version };
    refuseUnfitValues(application.name, valueProblemsOf({ deployers }, asked));
  }
}

/** Whether a failed deployment of this snapshot is undone: one application that says no is enough. */
export function rollsBack(snapshot: Snapshot): boolean {
  return snapshot.applications.every(
    ({ config }) => readKey('auto_rollback', { ...snapshot.environment.config, ...config }) ?? true,
  );
}

import {
  hostConnection,
  readKey,
  resolvePhysicalConnection,
  resolvePhysicalSettings,
} from '@floy/contracts';
import type { Snapshot } from '@floy/database/snapshot';
import { InvalidRequestError } from '@floy/domain';

/**
 * Refuses what cannot be carried out whatever happens, before anything begins: settings that do not
 * fit together, hosts without a usable key. Throws InvalidRequestError naming the key.
 */
export function checkSnapshot(snapshot: Snapshot, connection: Record<string, unknown>): void {
  const { environment, applications } = snapshot;
  if (environment.type !== 'physical') return;
  const { hosts, ...login } = resolvePhysicalConnection(connection);
  for (const host of hosts) hostConnection({ hosts, ...login }, host);
  for (const application of applications) {
    try {
      resolvePhysicalSettings(environment.config, application.config);
    } catch (error) {
      if (!(error instanceof InvalidRequestError)) throw error;
      throw new InvalidRequestError(
        `Application ${application.name}: ${error.message}`,
        error.details,
      );
    }
  }
}

/** Whether a failed deployment of this snapshot is undone: one application that says no is enough. */
export function rollsBack(snapshot: Snapshot): boolean {
  return snapshot.applications.every(
    ({ config }) => readKey('auto_rollback', { ...snapshot.environment.config, ...config }) ?? true,
  );
}

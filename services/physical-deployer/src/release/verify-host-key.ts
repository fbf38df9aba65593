import type { PhysicalConnection } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import {
  pinFirstSeen,
  pinnedHostKey,
  type HostKeyPlace,
} from '@floy/database/repositories/host-keys';
import { VerdictError } from '@floy/domain';

/**
 * Checks a host's key: against the fingerprints of the config, else against the one pinned for the
 * host; the first seen is pinned by an event unless the policy is `strict`. Throws VerdictError with
 * the fingerprint and the call that approves it.
 */
export function verifyHostKey(database: Database, place: HostKeyPlace, login: PhysicalConnection) {
  return async (fingerprint: string): Promise<void> => {
    if (login.hostKeys.includes(fingerprint)) return;
    const pinned = await pinnedHostKey(database.knex, place);
    if (pinned === fingerprint) return;
    const host = `${place.host}:${place.port}`;
    const approve = `POST /api/v1/environments/${place.environmentId}/host-keys {"host": "${place.host}", "port": ${place.port}, "fingerprint": "${fingerprint}"}`;
    if (pinned !== undefined) {
      throw new VerdictError(
        `The host key of ${host} changed: ${fingerprint} instead of ${pinned}. If that is meant: ${approve}`,
      );
    }
    if (login.hostKeyPolicy === 'strict' || login.hostKeys.length > 0) {
      throw new VerdictError(
        `The host key of ${host} is not known: ${fingerprint}. If it is right: ${approve}`,
      );
    }
    const kept = await database.transaction((tx) => pinFirstSeen(tx, place, fingerprint));
    if (kept !== fingerprint) {
      throw new VerdictError(
        `The host key of ${host} changed: ${fingerprint} instead of ${kept}. If that is meant: ${approve}`,
      );
    }
  };
}

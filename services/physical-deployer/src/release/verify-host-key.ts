import type { PhysicalConnection } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import {
  pinFirstSeen,
  pinnedHostKey,
  type HostKeyPlace,
} from '@floy/database/repositories/host-keys';
import { VerdictError } from '@floy/domain';

/**
 * Checks a host's key: against the fingerprints of the config, else against the one that is pinned
 * for the host in the whole installation; the first seen is pinned by an event. An environment that
 * is `strict` or names fingerprints takes no other's first sight for known, only what an admin
 * approved. Throws VerdictError with the fingerprint and the call that approves it.
 */
export function verifyHostKey(database: Database, place: HostKeyPlace, login: PhysicalConnection) {
  return async (fingerprint: string): Promise<void> => {
    if (login.hostKeys.includes(fingerprint)) return;
    const host = `${place.host}:${place.port}`;
    const approve = `POST /api/v1/environments/${place.environmentId}/host-keys {"host": "${place.host}", "port": ${place.port}, "fingerprint": "${fingerprint}"}`;
    const changed = (pinned: string): VerdictError =>
      new VerdictError(
        `The host key of ${host} changed: ${fingerprint} instead of ${pinned}. If that is meant: ${approve}`,
      );
    const strict = login.hostKeyPolicy === 'strict' || login.hostKeys.length > 0;
    const pinned = await pinnedHostKey(database.knex, place);
    if (pinned !== undefined) {
      if (pinned.fingerprint !== fingerprint) throw changed(pinned.fingerprint);
      if (!strict || pinned.approved) return;
    }
    if (strict) {
      throw new VerdictError(
        `The host key of ${host} is not known: ${fingerprint}. If it is right: ${approve}`,
      );
    }
    const kept = await database.transaction((tx) => pinFirstSeen(tx, place, fingerprint));
    if (kept !== fingerprint) throw changed(kept);
  };
}

import { LeaseLostError } from '@floy/domain';
import { connectionSettings } from '@floy/database/database';
import { leaseMs, leaseRenewalMs, renewLeases, type Lease } from '@floy/database/leases';
import type { Listener } from '@floy/database/listener';
import pg from 'pg';

export interface HeldLease {
  readonly lease: Lease;
  /** Aborts with a LeaseLostError when the lease is known to be another's, or when the keeper stops. */
  readonly signal: AbortSignal;
  /** Whether the lease is known to be ours at this moment, by a monotonic clock. */
  isFresh(): boolean;
  letGo(): void;
}

export interface LeaseKeeper {
  /** Who this process is: no two process starts share it. */
  readonly holder: string;
  /**
   * Whether this process was itself punctual and connected for a whole lease length. Only then may
   * it take another's expired lease for that other's death, and not for its own blocked loop or for
   * an outage of Postgres that nobody could renew through.
   */
  mayTakeOver(): boolean;
  hold(lease: Lease, heldSince: number): HeldLease;
  /** Aborts everything held, so that it can be handed over. */
  abortAll(reason: string): void;
  stop(): Promise<void>;
}

interface Entry {
  lease: Lease;
  controller: AbortController;
  freshUntil: number;
  unlisten: () => void;
}

/** A tick this late means that the process was stopped, blocked or cut off. Milliseconds. */
const lateMs = leaseMs / 2;

/** Renews the leases of this process, all in one statement, on a connection of its own. */
export function createLeaseKeeper(url: string, holder: string, listener: Listener): LeaseKeeper {
  const held = new Set<Entry>();
  let client: pg.Client | undefined;
  let punctualSince = Infinity;
  let lastTick = -Infinity;
  let ticking: Promise<void> | undefined;
  let again = false;
  const timer = setInterval(() => void tick(), leaseRenewalMs);
  void tick();

  function tick(): Promise<void> {
    if (ticking) {
      again = true;
      return ticking;
    }
    ticking = renewOnce().finally(() => {
      ticking = undefined;
      if (again) {
        again = false;
        void tick();
      }
    });
    return ticking;
  }

  async function renewOnce(): Promise<void> {
    const began = performance.now();
    const entries = [...held];
    try {
      const connected = await connection();
      const kept = await renewLeases(
        (sql, values) => connected.query(sql, values),
        holder,
        entries.map(({ lease }) => lease),
      );
      const ours = new Map(kept.map(({ subject, epoch }) => [subject, epoch]));
      for (const entry of entries) {
        if (ours.get(entry.lease.subject) === entry.lease.epoch) entry.freshUntil = began + leaseMs;
        else lose(entry, 'it was taken over or revoked');
      }
      const ended = performance.now();
      if (began - lastTick > lateMs || ended - began > lateMs) punctualSince = ended;
      lastTick = ended;
    } catch {
      punctualSince = Infinity;
      lastTick = -Infinity;
      dropConnection();
      if (held.size > 0) setTimeout(() => void tick(), 300).unref();
    }
  }

  async function connection(): Promise<pg.Client> {
    if (client) return client;
    const next = new pg.Client({
      ...connectionSettings(url, `floy-leases ${holder}`),
      query_timeout: 2000,
    });
    next.on('error', dropConnection);
    await next.connect();
    client = next;
    return next;
  }

  function dropConnection(): void {
    client?.end().catch(() => undefined);
    client = undefined;
  }

  function lose(entry: Entry, why: string): void {
    if (!held.delete(entry)) return;
    entry.unlisten();
    entry.controller.abort(
      new LeaseLostError(`The right to act on ${entry.lease.subject} is gone: ${why}`),
    );
  }

  return {
    holder,
    mayTakeOver() {
      const now = performance.now();
      return now - lastTick <= lateMs && now - punctualSince >= leaseMs;
    },
    hold(lease, heldSince) {
      const entry: Entry = {
        lease,
        controller: new AbortController(),
        freshUntil: heldSince + leaseMs,
        unlisten: listener.on('lease', lease.subject, () => void tick()),
      };
      held.add(entry);
      return {
        lease,
        signal: entry.controller.signal,
        isFresh: () => performance.now() < entry.freshUntil && !entry.controller.signal.aborted,
        letGo() {
          held.delete(entry);
          entry.unlisten();
        },
      };
    },
    abortAll(reason) {
      for (const entry of [...held]) lose(entry, reason);
    },
    async stop() {
      clearInterval(timer);
      for (const entry of [...held]) lose(entry, 'this process stops');
      await ticking?.catch(() => undefined);
      await client?.end().catch(() => undefined);
    },
  };
}

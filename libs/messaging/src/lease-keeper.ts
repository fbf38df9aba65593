import { LeaseLostError, UnavailableError } from '@floy/domain';
import type { Publisher } from '@floy/database/after-commit';
import type { Database } from '@floy/database/database';
import { findUnlockedHolders, type AskPostgres } from '@floy/database/holders';
import {
  leaseMs,
  leaseRenewalMs,
  renewLeases,
  type Lease,
  type Taker,
} from '@floy/database/leases';
import type { Listener } from '@floy/database/listener';
import { createDeadHolders, expireDeadHolder } from './dead-holders.js';
import { createLeaseSession } from './lease-session.js';
import type { WorkObserver } from './observer.js';
import { createPunctuality } from './punctuality.js';

export interface HeldLease {
  readonly lease: Lease;
  /** Aborts with a LeaseLostError when the lease is another's, or when the keeper stops. */
  readonly signal: AbortSignal;
  /** Whether the lease is known to be ours at this moment, by a monotonic clock. */
  isFresh(): boolean;
  letGo(): void;
}

export interface LeaseKeeper {
  /** Whether this process has its session lock: without it nothing may be taken up. */
  isConnected(): boolean;
  /** Tells whether it is connected, now and whenever that changes. Answers how to end it. */
  onConnection(tell: (isConnected: boolean) => void): () => void;
  /**
   * Who takes leases here. Throws UnavailableError while this process has no session lock: it would
   * be taken for dead.
   */
  taker(): Taker;
  hold(lease: Lease, heldSince: number): HeldLease;
  /**
   * Whether Postgres, the way there or this process stood still at some time since then
   * (`performance.now()`): no limit on time says anything about a statement in that case.
   */
  lateSince(time: number): boolean;
  /** Aborts everything held, so that it can be handed over. */
  abortAll(reason: string): void;
  stop(): Promise<void>;
}

export interface LeaseKeeperDeps {
  readonly database: Database;
  readonly publisher: Publisher;
  readonly listener: Listener;
  readonly observer: Pick<WorkObserver, 'outage' | 'holderDied'>;
}

interface Entry {
  lease: Lease;
  controller: AbortController;
  freshUntil: number;
  unlisten: () => void;
}

/** How often Postgres is asked who is dead, and how soon after a failure. Milliseconds. */
const beatMs = 250;
const retryMs = 300;

/**
 * Renews the leases of this process, all in one statement, on a connection of its own that has the
 * holder's session lock; watches over the locks of others; and knows by its beats whether it was
 * punctual all the time.
 *
 * @param holder who this process is: no two process starts share it
 */
export function createLeaseKeeper(deps: LeaseKeeperDeps, holder: string): LeaseKeeper {
  const held = new Set<Entry>();
  const session = createLeaseSession(deps.database.url, holder, broke);
  const punctuality = createPunctuality();
  const others = createDeadHolders();
  const renewals = { at: -Infinity, asked: false };
  let stopped = false;
  let connected = false;
  const listeners = new Set<(isConnected: boolean) => void>();
  let wake: () => void = () => undefined;
  const beating = run();

  async function run(): Promise<void> {
    while (!stopped) {
      let pauseMs = beatMs;
      try {
        await beat();
        pauseMs = Math.min(beatMs, others.nextLookMs() ?? beatMs);
      } catch (error) {
        broke(error);
        pauseMs = retryMs;
      }
      if (renewals.asked && session.isOpen()) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopped) wake();
      });
    }
  }

  async function beat(): Promise<void> {
    const ask = await session.open();
    if (renewals.asked || performance.now() - renewals.at >= leaseRenewalMs) await renew(ask);
    const unlocked = await findUnlockedHolders(ask, holder);
    punctuality.answered();
    setConnected(true);
    // Its own time away is not the others' death.
    if (!mayTakeOver()) return others.forget();
    for (const dead of others.judge(unlocked)) {
      // On another connection, and not waited for: the beats go on.
      void expireDeadHolder(deps, dead).then(
        (subjects) => subjects.length > 0 && deps.observer.holderDied(dead.holder, subjects),
        // Looked at again with the next beat.
        () => undefined,
      );
    }
  }

  async function renew(ask: AskPostgres): Promise<void> {
    renewals.asked = false;
    const began = performance.now();
    renewals.at = began;
    const entries = [...held];
    if (entries.length === 0) return;
    const leases = entries.map(({ lease }) => lease);
    const kept = await renewLeases(ask, holder, leases);
    for (const entry of entries) {
      const { subject, epoch } = entry.lease;
      const ours = kept.find((each) => each.subject === subject && each.epoch === epoch);
      if (!ours) lose(entry, 'it was taken over or revoked');
      else if (ours.renewed) entry.freshUntil = began + leaseMs;
      // Asked again with the next beat.
      else renewals.at = -Infinity;
    }
  }

  function broke(error: unknown): void {
    session.drop();
    punctuality.broke();
    others.forget();
    renewals.at = -Infinity;
    if (connected && !stopped) deps.observer.outage('leases', error);
    setConnected(false);
    // Connects anew at once.
    wake();
  }

  function setConnected(now: boolean): void {
    if (connected === now) return;
    connected = now;
    for (const tell of listeners) tell(now);
  }

  function mayTakeOver(): boolean {
    return connected && punctuality.punctualMs() >= leaseMs;
  }

  function lose(entry: Entry, why: string): void {
    if (!held.delete(entry)) return;
    entry.unlisten();
    entry.controller.abort(
      new LeaseLostError(`The right to act on ${entry.lease.subject} is gone: ${why}`),
    );
  }

  function renewNow(): void {
    renewals.asked = true;
    wake();
  }

  return {
    isConnected: () => connected,
    onConnection(tell) {
      listeners.add(tell);
      tell(connected);
      return () => listeners.delete(tell);
    },
    taker() {
      if (!connected) throw new UnavailableError('The leases of this process cannot be kept');
      return { holder, mayTakeOver: mayTakeOver() };
    },
    hold(lease, heldSince) {
      const entry: Entry = {
        lease,
        controller: new AbortController(),
        freshUntil: heldSince + leaseMs,
        unlisten: deps.listener.on('lease', lease.subject, renewNow),
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
    lateSince: punctuality.lateSince,
    abortAll(reason) {
      for (const entry of [...held]) lose(entry, reason);
    },
    async stop() {
      stopped = true;
      wake();
      for (const entry of [...held]) lose(entry, 'this process stops');
      await beating;
      await session.close();
    },
  };
}

import { randomUUID } from 'node:crypto';
import { messageOf } from '@floy/domain';
import type { JobQueue } from './job-queue.js';

/** The kind of a job that asks for nothing: it shows whether jobs are taken. */
export const probeKind = 'probe';

/** Whether work comes out of a queue that is put into it. */
export interface Delivery {
  readonly queue: string;
  readonly delivers: boolean;
  /** Why not. */
  readonly reason?: string;
}

export interface QueueWatch {
  delivery(): Delivery;
  /** Begins to look; while paused nothing is known, and what was known stays. */
  resume(): void;
  pause(): void;
}

export interface WatchQueue {
  readonly name: string;
  readonly queue: JobQueue;
  /** Whether a worker of this process may have been too busy to take a job in so many milliseconds. */
  wasBusy(withinMs: number): boolean;
  /** Told when the queue ceases to deliver, and when it does again. */
  tell(delivery: Delivery): void;
  readonly everyMs: number;
}

/**
 * Puts a probe on a queue that this process takes jobs from, and looks whether anybody took it. So
 * it notices whatever keeps jobs from workers: a server that refuses, keys of a wrong type, a queue
 * that somebody has paused. From the second look in vain on it has the queue mended.
 */
export function watchQueue({ name, queue, wasBusy, tell, everyMs }: WatchQueue): QueueWatch {
  const jobId = `${probeKind}-${randomUUID()}`;
  let delivery: Delivery = { queue: name, delivers: true };
  let timer: NodeJS.Timeout | undefined;
  let asked = false;
  let inVain = 0;

  function found(delivers: boolean, reason?: string): void {
    const before = delivery;
    delivery = { queue: name, delivers, ...(reason !== undefined && { reason }) };
    if (before.delivers !== delivers) tell(delivery);
  }

  async function look(): Promise<void> {
    try {
      const wasTaken = asked && !(await queue.waits(jobId));
      await queue.add([{ kind: probeKind, jobId, id: '' }]);
      if (wasTaken) {
        inVain = 0;
        found(true);
      } else if (asked && !wasBusy(2 * everyMs)) await failed('nobody takes jobs from it');
      else asked = true;
    } catch (error) {
      await failed(reasonOf(error));
    }
  }

  async function failed(reason: string): Promise<void> {
    inVain += 1;
    found(false, reason);
    if (inVain === 1) return;
    // The probe goes with all other jobs, and nobody has taken it.
    asked = false;
    await queue.mend().catch(() => undefined);
  }

  return {
    delivery: () => delivery,
    resume() {
      if (timer !== undefined) return;
      let busy = false;
      const tick = (): void => {
        if (busy) return;
        busy = true;
        void look().finally(() => (busy = false));
      };
      timer = setInterval(tick, everyMs);
      tick();
    },
    pause() {
      clearInterval(timer);
      [timer, asked] = [undefined, false];
    },
  };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return messageOf(cause);
}

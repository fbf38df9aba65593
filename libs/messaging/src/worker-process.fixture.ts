import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { waitFor } from '@floy/testing/wait-for';

const built = (path: string): string =>
  JSON.stringify(new URL(`../../${path}.js`, import.meta.url).href);

/** A worker that has its work in hand until SIGUSR2, and then writes a result. */
const program = `
import { createDatabase } from ${built('database/dist/database')};
import { createListener } from ${built('database/dist/listener')};
import { consume } from ${built('messaging/dist/consume')};
import { createLeaseKeeper } from ${built('messaging/dist/lease-keeper')};
import { createPublisher } from ${built('messaging/dist/publisher')};
import { createQueueBackend } from ${built('messaging/dist/queue-backend')};
const say = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const { DATABASE_URL: url, QUEUE_URL, HOLDER } = process.env;
const backend = createQueueBackend(QUEUE_URL);
const publisher = createPublisher(backend);
const database = createDatabase({ url, applicationName: 'worker', publisher });
const listener = createListener(url, () => {});
const observer = {
  took() {}, tookOver() {}, backlog() {},
  ended: ({ target_id }, { outcome }) => say({ msg: 'ended', target_id, outcome }),
  outage: (seen_by) => say({ msg: 'outage', seen_by }),
  holderDied: (holder) => say({ msg: 'died', holder }),
};
const keeper = createLeaseKeeper({ database, publisher, listener, observer }, HOLDER);
const handler = {
  begin: async () => true,
  dead: async () => {},
  async run(work, { target_id }) {
    say({ msg: 'begun', target_id });
    await new Promise((resolve) => process.once('SIGUSR2', resolve));
    await work.finish(async (tx) => {
      await tx.execute('INSERT INTO event_streams VALUES (?, 1)', ['result of ' + HOLDER]);
    });
  },
};
consume({ database, backend, keeper, observer }, 'physical-deployer',
  { 'stage-instance': handler, 'switch-instance': handler, 'look-at-target': handler },
  { concurrency: 4 });
const timer = setInterval(() => {
  try { keeper.taker(); } catch { return; }
  clearInterval(timer);
  say({ msg: 'ready' });
}, 20);
`;

export interface Worker {
  readonly holder: string;
  readonly process: ServiceProcess;
  /** Waits until it has said this. */
  said(what: Readonly<Record<string, string>>, timeoutMs?: number): Promise<unknown>;
  /** Kills it, if it lives, and removes what it was started from. */
  end(): Promise<void>;
}

/** Starts a worker for hosts as a process of its own, and waits until it may take leases. */
export async function startWorker(
  holder: string,
  urls: { database: string; queue: string },
): Promise<Worker> {
  const folder = await mkdtemp(join(tmpdir(), 'floy-worker-'));
  const main = join(folder, 'main.mjs');
  await writeFile(main, program);
  const env = { DATABASE_URL: urls.database, QUEUE_URL: urls.queue, HOLDER: holder };
  const process = startServiceProcess({ name: holder, main, env });
  const worker: Worker = {
    holder,
    process,
    said: (what, timeoutMs) =>
      waitFor(
        `${holder} to say ${JSON.stringify(what)}`,
        () =>
          process.log.some((line) =>
            Object.entries(what).every(([name, value]) => line[name] === value),
          ),
        { timeoutMs },
      ).catch((error: unknown) => {
        throw new Error(`${holder} said only ${JSON.stringify(process.log)}`, { cause: error });
      }),
    async end() {
      process.kill('SIGKILL');
      await process.exited();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await worker.said({ msg: 'ready' });
  return worker;
}

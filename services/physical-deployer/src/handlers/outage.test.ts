import { createDatabase, type Database } from '@floy/database/database';
import { UnavailableError } from '@floy/domain';
import type { Work } from '@floy/messaging/handlers';
import { createRedactor } from '@floy/secrets/redaction';
import { createSharedRedactors } from '@floy/secrets/shared-redactors';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import { type HostFixture, startHostFixture } from '../../testing/host-fixture.js';
import type { DeployerDeps } from '../release/deployer-deps.js';
import type { InstanceContext } from '../release/instance-context.js';
import { observe } from '../release/run-instance.js';
import { stopTargetHandler } from './stop-target.js';

const describeHere = await needsSshd();

describeHere('a host whose key cannot be checked, since Postgres is away', () => {
  let fixture: HostFixture;
  let database: Database;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1 });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const url = `postgres://127.0.0.1:${port}/floy`;
    database = createDatabase({ url, applicationName: 'test' });
  });
  afterAll(async () => {
    await database.close();
    await fixture.stop();
  });

  const here = async () => {
    const { connection } = fixture.work();
    const { settings } = await fixture.release(fixture.deployPath());
    const context = {
      connection,
      settings,
      contentDir: 'v1-rel_1',
      release: { id: 'rel_1', task_id: 'task_1', retry_count: 3 },
      instance: { touched: true },
      target: { environment_id: 'env_1', instance_id: 'app-1' },
      login: { hostKeys: [], hostKeyPolicy: 'pin-first-seen' },
    } as unknown as InstanceContext;
    const deps = {
      database,
      hosts: fixture.hosts,
      installation: 'floy-one',
      redactor: createRedactor(),
      redactors: createSharedRedactors(),
      logger: { warn: () => undefined },
      taskLogs: { add: () => undefined, room: () => undefined, flush: async () => undefined },
    } as unknown as DeployerDeps;
    return { context, deps };
  };

  it('is not taken for one that could not be stopped', async () => {
    const { context, deps } = await here();
    let finished = false;
    const work = {
      lease: { subject: 'tgt_1', epoch: 1 },
      signal: new AbortController().signal,
      throughOutages: async () => context,
      finish: async () => void (finished = true),
    } as unknown as Work;
    const ids = { instance_id: 'ins_1', target_id: 'tgt_1', deployment_id: 'dep_1' };
    await expect(stopTargetHandler(deps).run(work, ids)).rejects.toThrow(UnavailableError);
    expect(finished).toBe(false);
  });

  it('is not taken for one of which nothing can be told', async () => {
    const { context, deps } = await here();
    const away = new UnavailableError('The database cannot be reached right now');
    const host = fixture.work({ verifyHostKey: () => Promise.reject(away) });
    const known = { switching: true };
    await expect(observe(deps, host, context, known)).rejects.toThrow(away);
  });
});

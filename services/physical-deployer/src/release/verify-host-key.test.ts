import type { PhysicalConnection } from '@floy/contracts';
import { approveHostKey } from '@floy/database/repositories/host-keys';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { VerdictError } from '@floy/domain';
import { findSshKeygen } from '@floy/local-servers/find-sshd';
import { makeSshKey } from '@floy/local-servers/sshd-keys';
import { needsPostgres, needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';
import { createHosts } from '../rollout/hosts.js';
import { verifyHostKey } from './verify-host-key.js';

const describeWithSshd = await needsSshd();
const describeHere = (await needsPostgres()) === describe ? describeWithSshd : describe.skip;

describeHere('the key of a host', () => {
  let rollout: RolloutFixture;
  let other: string;
  const first = (): string => rollout.floy.environmentId;
  const key = (letter: string): string => `SHA256:${letter.repeat(43)}`;
  const login = (more: Partial<PhysicalConnection> = {}): PhysicalConnection => ({
    hosts: [],
    privateKey: undefined,
    hostKeys: [],
    hostKeyPolicy: 'pin-first-seen',
    ...more,
  });
  const seen = (
    environmentId: string,
    host: string,
    fingerprint: string,
    more?: Partial<PhysicalConnection>,
  ): Promise<void> => {
    const place = { environmentId, host, port: 22 };
    return verifyHostKey(rollout.floy.database, place, login(more))(fingerprint);
  };
  const approve = (environmentId: string, host: string, fingerprint: string) =>
    rollout.floy.database.transaction((tx) =>
      approveHostKey(tx, { environmentId, host, port: 22 }, fingerprint, 'ann'),
    );
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 1 });
    const environment = await rollout.environment();
    const environments = createEnvironmentRepository(
      rollout.floy.database.knex,
      rollout.floy.sealer,
    );
    other = (await environments.create({ ...environment, name: 'staging' })).id;
  });
  afterAll(() => rollout.stop());
  beforeEach(() => rollout.floy.own.query('DELETE FROM host_keys'));

  it('that changed is refused in another environment too, before anybody logs in', async () => {
    const { fleet, floy } = rollout;
    const host = fleet.host();
    const hosts = createHosts();
    const reach = (environmentId: string) => {
      const work = fleet.work();
      const place = { environmentId, host: '127.0.0.1', port: host.port };
      return { ...work, verifyHostKey: verifyHostKey(floy.database, place, login()) };
    };
    await hosts.pool.use(reach(first()), (client) => client.run('true'));
    hosts.close();

    const file = join(fleet.folder, 'other_key');
    const made = await makeSshKey(findSshKeygen() ?? '', file);
    await host.stop();
    await host.start({ hostKeyFile: file });
    const before = (await readFile(host.logFile, 'utf8')).length;
    const again = createHosts();
    const changed = again.pool.use(reach(other), (client) => client.run('true'));
    await expect(changed).rejects.toThrow(VerdictError);
    await expect(changed).rejects.toThrow(
      `changed: ${made.fingerprint} instead of ${host.hostKeyFingerprint}`,
    );
    await expect(changed).rejects.toThrow(`/environments/${other}/host-keys`);
    expect((await readFile(host.logFile, 'utf8')).slice(before)).not.toMatch(/publickey|Accepted/);
    again.close();
  });

  it('is one for all ways to write its address', async () => {
    await seen(first(), 'web.example.com', key('a'));
    await seen(first(), '::ffff:10.0.0.1', key('b'));
    for (const [host, fingerprint] of [
      ['WEB.Example.com.', 'c'],
      ['10.0.0.1', 'c'],
      ['10.1', 'c'],
    ] as const) {
      await expect(seen(other, host, key(fingerprint))).rejects.toThrow('changed');
    }
    await seen(other, 'Web.example.com', key('a'));
  });

  it('is approved for the whole installation', async () => {
    await seen(first(), 'web', key('a'));
    await approve(other, 'WEB.', key('b'));
    await seen(first(), 'web', key('b'));
    await seen(other, 'web', key('b'));
    await expect(seen(first(), 'web', key('a'))).rejects.toThrow('changed');
  });

  it('stays pinned when the environment that saw it first is gone', async () => {
    const environments = createEnvironmentRepository(
      rollout.floy.database.knex,
      rollout.floy.sealer,
    );
    const gone = await rollout.environment();
    const { id } = await environments.create({ ...gone, name: 'short-lived' });
    await seen(id, 'web', key('a'));
    await environments.delete(id);
    await expect(seen(first(), 'web', key('b'))).rejects.toThrow('changed');
  });

  it('that another environment saw first is not known where fingerprints are named', async () => {
    await seen(first(), 'web', key('a'));
    const strict = { hostKeyPolicy: 'strict' } as const;
    await expect(seen(other, 'web', key('a'), strict)).rejects.toThrow('is not known');
    const named = { hostKeys: [key('b')] };
    await expect(seen(other, 'web', key('a'), named)).rejects.toThrow('is not known');
    await seen(other, 'web', key('b'), named);
    await approve(first(), 'web', key('a'));
    await seen(other, 'web', key('a'), strict);
  });
});

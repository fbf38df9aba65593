import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { accessTo } from '@floy/database/access';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('two environments on one host', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation({
      config: { deploy_path: '/srv/{{environment}}/{{application}}' },
    });
  });
  afterAll(() => floy.stop());

  /** An environment on the hosts of the first one. */
  async function environment(name: string, hosts: readonly object[] | readonly string[]) {
    const environments = createEnvironmentRepository(floy.database.knex, floy.sealer);
    const { type, config } = await environments.getById(floy.environmentId);
    const made = { name, type, is_active: true, config: { ...config, hosts } };
    return (await environments.create(made)).id;
  }
  async function deployed(applicationId: string, environment_id: string): Promise<string[]> {
    const { id } = await createDeploymentRepository(accessTo(floy.database)).create({
      version_id: floy.versionIds[0],
      application_ids: [applicationId],
      environment_id,
      created_by: 'ann',
    });
    await floy.begin(id);
    await floy.built(id);
    await floy.playDeployers(id);
    expect(await floy.statusOf(id)).toBe('success');
    const rows = await floy.own.query<{ instance_id: string }>(
      'SELECT instance_id FROM release_instances WHERE deployment_id = $1 ORDER BY position',
      [id],
    );
    return rows.map(({ instance_id }) => instance_id);
  }

  it('do not collide: their instances have ids of their own without being told', async () => {
    const shop = await floy.applicationId('shop');
    expect(await deployed(shop, floy.environmentId)).toEqual([
      'shop-production-h1-22',
      'shop-production-h2-22',
    ]);
    const staging = await environment('Staging, Süd 1', ['h1', 'h2']);
    const ids = await deployed(shop, staging);
    expect(ids).toEqual([
      expect.stringMatching(/^shop-staging-s-d-1-[0-9a-f]{8}-h1-22$/),
      expect.stringMatching(/^shop-staging-s-d-1-[0-9a-f]{8}-h2-22$/),
    ]);
  });

  it('may name their instances by a template, for all of their applications', async () => {
    const instance_id = '{{application}}.{{environment}}.{{host}}';
    const named = await environment('qa', [
      { host: 'h1', instance_id },
      { host: 'h2', instance_id },
    ]);
    for (const name of ['cart', 'stock'])
      expect(await deployed(await floy.applicationId(name), named)).toEqual([
        `${name}.qa.h1`,
        `${name}.qa.h2`,
      ]);
  });
});

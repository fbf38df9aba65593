import { accessTo } from '@floy/database/access';
import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('the folder of a service', () => {
  let floy: TestInstallation;
  let other: string;
  beforeAll(async () => {
    floy = await startTestInstallation();
    const environments = createEnvironmentRepository(floy.database.knex, floy.sealer);
    const first = await environments.getById(floy.environmentId);
    const { type, is_active, config } = first;
    other = (await environments.create({ name: 'other', type, is_active, config })).id;
  });
  afterAll(() => floy.stop());

  /** The same, in the other environment, which means the same hosts and folders. */
  const askElsewhere = async (application: string): Promise<string> => {
    const { id } = await createDeploymentRepository(accessTo(floy.database)).create({
      version_id: floy.versionIds[0],
      application_ids: [application],
      environment_id: other,
      created_by: 'ann',
    });
    return id;
  };
  const failBuild = (deployment: string) =>
    floy.deployments.updateDeploymentStatus(deployment, 'failed', 'a wrong key');

  it('is free again when the deployment that wished to be there has put nothing there', async () => {
    const application = await floy.applicationId('free');
    const id = await floy.ask([application]);
    await floy.begin(id);
    await expect(askElsewhere(application)).rejects.toThrow('is used already');
    await failBuild(id);
    const elsewhere = await askElsewhere(application);
    await floy.begin(elsewhere);
    // Now it is the other's, and the first may have it when that has come to nothing as well.
    await expect(floy.ask([application])).rejects.toThrow('is used already');
    await floy.deployments.cancelDeployment(floy.actor, elsewhere);
    await floy.begin(await floy.ask([application]));
  });

  it('is kept by the environment whose release was switched there, also when that failed', async () => {
    const application = await floy.applicationId('kept');
    const id = await floy.ask([application]);
    await floy.begin(id);
    await floy.built(id);
    await floy.playDeployers(id, ['kept-production-h1-22']);
    expect(await floy.statusOf(id)).toBe('failed');
    await expect(askElsewhere(application)).rejects.toThrow('is used already');
  });
});

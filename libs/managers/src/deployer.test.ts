import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('the Deployer', () => {
  let floy: TestInstallation;
  let application: string;
  let first: string;
  let second: string;
  beforeAll(async () => {
    floy = await startTestInstallation();
    application = await floy.applicationId('api');
    first = await deploy(floy.versionIds[0]);
    second = await deploy(floy.versionIds[1]);
  });
  afterAll(() => floy.stop());

  /** A deployment whose release is handed to the deployers. */
  async function handOut(version: string): Promise<string> {
    return begin(await floy.ask([application], version));
  }

  async function begin(id: string): Promise<string> {
    await floy.begin(id);
    await floy.built(id);
    return id;
  }

  async function deploy(version: string): Promise<string> {
    const id = await handOut(version);
    await floy.playDeployers(id);
    return id;
  }

  it('answers how far a deployment is, and hands out nothing twice', async () => {
    const id = await handOut(floy.versionIds[1]);
    const staging =
      "SELECT 1 FROM messages WHERE kind = 'stage-instance' AND payload->>'deployment_id' = $1";
    expect(await floy.own.query(staging, [id])).toHaveLength(2);
    const result = await floy.deployer.deploy({ deploymentId: id });
    expect(result).toMatchObject({ success: false, deploymentId: id });
    expect(result.message).toContain('running');
    expect(await floy.own.query(staging, [id])).toHaveLength(2);
    await floy.playDeployers(id);
    expect(await floy.deployer.deploy({ deploymentId: id })).toMatchObject({ success: true });
    second = id;
  });

  it('tells how many instances there are, and which are ready', async () => {
    expect(await floy.deployer.getDeploymentInfo(second)).toMatchObject({
      deployment_id: second,
      status: 'success',
      replicas: 2,
      ready_replicas: 2,
    });
    expect(await floy.deployer.healthCheck(second)).toMatchObject({ healthy: true });
    expect(await floy.deployer.healthCheck(first)).toMatchObject({ healthy: false });
    await expect(floy.deployer.getDeploymentInfo('dep_none')).rejects.toThrow('There is no');
  });

  it('rolls back to what an earlier deployment brought, or to a version', async () => {
    const request = { deploymentId: second, targetDeploymentId: first };
    const back = await floy.deployer.rollback(floy.actor, request);
    await begin(back.deploymentId);
    await floy.playDeployers(back.deploymentId);
    expect(await floy.statusOf(back.deploymentId)).toBe('success');
    expect(await floy.statusOf(second)).toBe('rolled_back');
    const versions = await floy.own.query<{ version: string }>(
      'SELECT DISTINCT observed_version AS version FROM release_instances WHERE deployment_id = $1',
      [back.deploymentId],
    );
    expect(versions).toEqual([{ version: 'v1' }]);

    const forth = { deploymentId: back.deploymentId, targetVersionId: floy.versionIds[1] };
    const again = await floy.deployer.rollback(floy.actor, forth);
    await begin(again.deploymentId);
    await floy.playDeployers(again.deploymentId);
    expect(await floy.statusOf(again.deploymentId)).toBe('success');
    const elsewhere = { deploymentId: again.deploymentId, targetDeploymentId: 'dep_none' };
    await expect(floy.deployer.rollback(floy.actor, elsewhere)).rejects.toThrow('There is no');
  });

  it('returns what a deployment has switched where an instance fails', async () => {
    const id = await handOut(floy.versionIds[0]);
    await floy.playDeployers(id, ['api-production-h2-22']);
    expect(await floy.statusOf(id)).toBe('rolled_back');
    const [failed] = await floy.own.query<{ error_message: string }>(
      "SELECT error_message FROM release_instances WHERE deployment_id = $1 AND status = 'failed'",
      [id],
    );
    expect(failed).toEqual({ error_message: 'is broken' });
  });
});

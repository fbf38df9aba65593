import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

  describe('a rollback without the id of a version', () => {
    /** Rolls back what is live, and plays it to its end. Answers the tag that is there then. */
    async function back(deploymentId: string, targetVersionId: string) {
      const asked = await floy.deployer.rollback(floy.actor, { deploymentId, targetVersionId });
      await begin(asked.deploymentId);
      await floy.playDeployers(asked.deploymentId);
      expect(await floy.statusOf(asked.deploymentId)).toBe('success');
      const [seen] = await floy.own.query<{ version: string }>(
        'SELECT DISTINCT observed_version AS version FROM release_instances WHERE deployment_id = $1',
        [asked.deploymentId],
      );
      return { id: asked.deploymentId, version: seen?.version };
    }
    const [v1, v2] = [0, 1].map((n) => () => floy.versionIds[n as 0 | 1]);

    it('goes back to a tag', async () => {
      application = await floy.applicationId('by-tag');
      await deploy(v1!());
      const live = await deploy(v2!());
      const refused = { deploymentId: live, targetVersionId: 'v9' };
      await expect(floy.deployer.rollback(floy.actor, refused)).rejects.toMatchObject({
        details: { target_version_id: expect.stringMatching(/the tag v9/) },
      });
      expect(await back(live, 'v1')).toMatchObject({ version: 'v1' });
    });

    it('goes back to what was live before, and not to what was rolled back from', async () => {
      application = await floy.applicationId('to-previous');
      const only = await deploy(v1!());
      const nothing = { deploymentId: only, targetVersionId: 'previous' };
      await expect(floy.deployer.rollback(floy.actor, nothing)).rejects.toThrow(
        'Application to-previous has no previous version there that was healthy',
      );
      const live = await deploy(v2!());
      const returned = await back(live, 'previous');
      expect(returned.version).toBe('v1');
      const further = { deploymentId: returned.id, targetVersionId: 'previous' };
      await expect(floy.deployer.rollback(floy.actor, further)).rejects.toThrow('no previous');
      // An explicit way forth and a new deployment: v2 was live before that.
      const forth = await back(returned.id, v2!());
      expect(forth.version).toBe('v2');
      const newest = await deploy(v1!());
      expect((await back(newest, 'previous')).version).toBe('v2');
    });

    it('is told where applications have no previous version, or different ones', async () => {
      const one = await floy.applicationId('one');
      const two = await floy.applicationId('two');
      await floy.own.query(
        `INSERT INTO versions (id, git_tag, git_commit, repository, repository_key, created_by)
         SELECT 'ver_third', 'v3', git_commit, repository, repository_key, 't' FROM versions WHERE id = $1`,
        [v1!()],
      );
      const both = async (version: string) => {
        const id = await floy.ask([one, two], version);
        await floy.begin(id);
        await floy.built(id);
        await floy.built(id);
        await floy.playDeployers(id);
        return { deploymentId: id, targetVersionId: 'previous' };
      };
      application = one;
      await deploy(v1!());
      const half = await both(v2!());
      await expect(floy.deployer.rollback(floy.actor, half)).rejects.toThrow(
        'Application two has no previous version',
      );
      application = two;
      await deploy(v1!());
      const differing = await both('ver_third');
      await expect(floy.deployer.rollback(floy.actor, differing)).rejects.toThrow(
        'The previous versions differ: v2 of one, v1 of two',
      );
    });
  });

  it('returns what a deployment has switched where an instance fails', async () => {
    application = await floy.applicationId('failing');
    await deploy(floy.versionIds[1]);
    const id = await handOut(floy.versionIds[0]);
    await floy.playDeployers(id, ['failing-production-h2-22']);
    expect(await floy.statusOf(id)).toBe('rolled_back');
    const [failed] = await floy.own.query<{ error_message: string }>(
      "SELECT error_message FROM release_instances WHERE deployment_id = $1 AND status = 'failed'",
      [id],
    );
    expect(failed).toEqual({ error_message: 'is broken' });
  });
});

import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();
const TIME = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;

describeHere('the health of a deployment', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  async function deployed(applicationId: string, versionId = floy.versionIds[0]) {
    const id = await floy.ask([applicationId], versionId);
    await floy.begin(id);
    await floy.built(id);
    await floy.playDeployers(id);
    expect(await floy.statusOf(id)).toBe('success');
    return id;
  }
  const messagesOf = async (id: string) =>
    (await floy.deployer.healthCheck(id)).checks.map(({ message }) => message);

  it('says in every line when it was seen, and that another version is there only where that is so', async () => {
    const shop = await floy.applicationId('shop');
    const first = await deployed(shop);
    const { healthy, checks } = await floy.deployer.healthCheck(first);
    expect(healthy).toBe(true);
    for (const { message, seen_at, status } of checks) {
      expect(message).toMatch(
        new RegExp(`^shop was seen healthy on v1 \\(last seen at ${TIME}`, 'u'),
      );
      expect(message).toContain(seen_at);
      expect(status).toBe('healthy');
    }
    const again = await deployed(shop);
    expect(await floy.deployer.healthCheck(first)).toMatchObject({ healthy: true });
    for (const message of await messagesOf(first))
      expect(message).toContain(`shop was seen healthy on v1, put there again by ${again}`);

    await deployed(shop, floy.versionIds[1]);
    expect(await floy.deployer.healthCheck(first)).toMatchObject({ healthy: false });
    for (const id of [first, again])
      for (const message of await messagesOf(id))
        expect(message).toMatch(
          new RegExp(`^shop has another version since, v2 \\(last seen at ${TIME}`, 'u'),
        );
  });

  it('names host, step and key where an instance has timed out', async () => {
    const id = await floy.ask([await floy.applicationId('slow')]);
    await floy.begin(id);
    await floy.built(id);
    await floy.own.query(
      `UPDATE release_instances SET step = 'stage', started_at = now(), deadline_at = now() - interval '1 s'
       WHERE deployment_id = $1`,
      [id],
    );
    await floy.deployer.deploy({ deploymentId: id });
    expect((await messagesOf(id))[0]).toContain(
      'slow-production-h1-22, step stage: Timed out after 302 s (the key is timeout)',
    );
  });
});

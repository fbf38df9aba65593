import { createVersionRepository } from '@floy/database/repositories/versions';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';
import { releaseDirOf } from '../release/release-dir.js';

const describeHere = await needsSshd();

/** Names of which a shell would make commands. */
const service = 'shop';
const application = `it's the shop; id >x`;
const names = ['GIT_TAG', 'VERSION', 'GIT_COMMIT', 'ENVIRONMENT', 'APPLICATION', 'SERVICE', 'HOST'];
const told = [...names, 'PORT', 'INSTANCE_ID', 'ARTIFACT_SHA256', 'RELEASE_PATH'];

describeHere('a deployer whose tag and names are full of shell', () => {
  let rollout: RolloutFixture;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 1 });
  });
  afterAll(() => rollout.stop());

  const version = async (git_tag: string): Promise<string> => {
    const versions = createVersionRepository(rollout.floy.database.knex);
    const repository = 'https://example.com/acme/shop';
    const made = { git_tag, git_commit: 'abc1234', repository, created_by: 't', description: '' };
    return (await versions.create(made)).id;
  };
  async function rolledOut(applicationId: string, tag: string): Promise<string> {
    const id = await rollout.handOut(applicationId, await version(tag));
    await rollout.rollOut(id);
    const { error_message: said } = await rollout.instanceOf(id);
    expect([await rollout.floy.statusOf(id), said]).toEqual(['success', '']);
    return id;
  }

  it('reaches commands as one variable each, and a folder of a harmless name', async () => {
    const tag = `v1;id>x;'"$(id)\`id\`${'長'.repeat(30)}`;
    const told_ = told.map((name) => `"$FLOY_${name}"`).join(' ');
    const id = await rolledOut(
      await rollout.application(application, {
        service_name: service,
        port: 8080,
        restart_command: `printf '%s\\n' ${told_} >../../ledger`,
        status_command: 'test "$FLOY_SERVICE $FLOY_PORT" = "shop 8080"',
      }),
      tag,
    );
    const place = rollout.placeOf(service);
    const { instance_id } = await rollout.instanceOf(id);
    const lines = (await textOf(place, 'ledger')).trimEnd().split('\n');
    const seen = Object.fromEntries(told.map((name, at) => [name, lines[at]]));
    expect(seen).toMatchObject({
      GIT_TAG: tag,
      VERSION: tag,
      GIT_COMMIT: 'abc1234',
      ENVIRONMENT: 'production',
      APPLICATION: application,
      SERVICE: service,
      HOST: rollout.fleet.host(0).host,
      PORT: '8080',
      INSTANCE_ID: instance_id,
    });
    expect(seen['ARTIFACT_SHA256']).toMatch(/^[0-9a-f]{64}$/);
    expect(lines).toHaveLength(told.length);
    const [folder] = await readdir(`${place}/releases`);
    expect(folder).toMatch(/^v1[A-Za-z0-9._+-]+$/);
    expect(seen['RELEASE_PATH']).toBe(`${place}/releases/${folder}`);
    expect(await readdir(place)).toEqual(
      expect.not.arrayContaining(['x', 'id', expect.stringContaining('id>')]),
    );
  });

  it('is deployed also when nothing of its tag can stand in the name of a folder, or it is too long', async () => {
    const own = await rollout.application('long');
    for (const tag of ['版本', '-'.padStart(2, '+').repeat(120), 'v'.repeat(250)]) {
      await rolledOut(own, tag);
    }
    expect(releaseDirOf('版本', 'rel_1')).toBe('rel_1');
    expect(releaseDirOf('v'.repeat(250), `rel_${'0'.repeat(26)}`).length).toBeLessThanOrEqual(201);
    expect(releaseDirOf('../..;x', 'rel_1')).toBe('x-rel_1');
  });
});

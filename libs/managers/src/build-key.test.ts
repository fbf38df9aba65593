import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('a build that crosses environments', () => {
  let floy: TestInstallation;
  let staging: string;
  beforeAll(async () => {
    floy = await startTestInstallation({
      config: { env: { URL: 'https://production' }, secrets: { TOKEN: 'of production' } },
    });
    const { knex } = floy.database;
    const environments = createEnvironmentRepository(knex, floy.sealer);
    const { config } = await environments.getById(floy.environmentId);
    const own = {
      hosts: ['h3'],
      env: { URL: 'https://staging' },
      secrets: { TOKEN: 'of staging' },
      deploy_path: '/opt/{{application}}',
    };
    const made = { name: 'staging', type: 'physical', is_active: true } as const;
    staging = (await environments.create({ ...made, config: { ...config, ...own } })).id;
  });
  afterAll(() => floy.stop());

  /** The key of the build that this application gets, at a version and in an environment. */
  async function keyOf(application: string, environmentId: string, version: 0 | 1 = 0) {
    const id = await floy.ask([application], floy.versionIds[version]);
    await floy.own.query('UPDATE deployments SET environment_id = $1 WHERE id = $2', [
      environmentId,
      id,
    ]);
    await floy.begin(id);
    const [build] = await floy.own.query<{ inputs: string }>(
      "SELECT inputs FROM tasks WHERE deployment_id = $1 AND type = 'build'",
      [id],
    );
    await floy.deployments.cancelDeployment(floy.actor, id);
    await floy.own.query('UPDATE deployments SET settled_at = now() WHERE id = $1', [id]);
    await floy.own.query('DELETE FROM slots WHERE deployment_id = $1', [id]);
    return build?.inputs ?? '';
  }

  it('an artifact built for staging is not shipped to production where its env names staging', async () => {
    const application = await floy.applicationId('crossing', {
      env: { URL: 'https://{{environment}}.example.com' },
    });
    const [production, other] = [
      await keyOf(application, floy.environmentId),
      await keyOf(application, staging),
    ];
    expect(production).toMatch(/^[0-9a-f]{64}$/);
    expect(other).toMatch(/^[0-9a-f]{64}$/);
    expect(other).not.toBe(production);
  });

  it('nor where a tag shows in it that another version of the same commit had', async () => {
    const application = await floy.applicationId('tagged');
    const first = await keyOf(application, floy.environmentId, 0);
    expect(await keyOf(application, floy.environmentId, 1)).not.toBe(first);
  });

  it('one build serves all environments where nothing that it sees differs', async () => {
    const application = await floy.applicationId('shared', {
      env: { MODE: 'fast', WHERE: '{{host}}:{{port}}', TAG: '{{git_tag}}' },
      secrets: { NPM_TOKEN: 'x' },
      port: 80,
    });
    const production = await keyOf(application, floy.environmentId);
    expect(production).not.toBe('');
    expect(await keyOf(application, staging)).toBe(production);
  });
});

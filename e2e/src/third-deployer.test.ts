import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@floy/client/client';
import type { Environment } from '@floy/contracts';
import { createDatabase } from '@floy/database/database';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { createSealer, parseEncryptionKeys } from '@floy/secrets/sealing';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { tableSchema } from './table/table-catalogues.js';

const describeHere = await needsPostgres();
const built = (name: string) =>
  fileURLToPath(new URL(`../dist/table/${name}-process.js`, import.meta.url));

interface Line {
  readonly row: string;
  readonly release: string;
  readonly what: string;
  readonly pid: number;
}

describeHere('a third deployer, whose instances are rows of a table', () => {
  let own: TestDatabase;
  let client: Client;
  let environmentId: string;
  let applicationId: string;
  const processes: ServiceProcess[] = [];
  const token = `floy_pat_${randomBytes(32).toString('hex')}`;
  const key = randomBytes(32).toString('base64');
  const rows = ['r1', 'r2', 'r3'].map((row) => `api-${row}`);

  function start(name: 'managers' | 'deployer', more: Record<string, string> = {}) {
    const env = { FLOY_DATABASE_URL: own.url, FLOY_ENCRYPTION_KEY: key, ...more };
    const process = startServiceProcess({ name: `table-${name}`, main: built(name), env });
    processes.push(process);
    return process;
  }

  beforeAll(async () => {
    own = await createTestDatabase();
    for (const statement of tableSchema.split(';').filter((sql) => sql.trim() !== ''))
      await own.query(statement);
    for (const row of rows) await own.query('INSERT INTO places (row) VALUES ($1)', [row]);
    const managers = start('managers', {
      FLOY_ADMIN_TOKEN: token,
      FLOY_HOST: '127.0.0.1',
      FLOY_PORT: '0',
    });
    const workers = [start('deployer'), start('deployer')];
    await Promise.all([managers, ...workers].map((each) => each.waitReady(30_000)));
    const line = await waitFor('the address', () =>
      managers.log.find(({ address }) => typeof address === 'string'),
    );
    client = createClient({ url: String(line['address']), token });
    const database = createDatabase({ url: own.url, applicationName: 'test' });
    // The API takes the types of the specification; the record takes every type.
    const type = 'table' as unknown as Environment['type'];
    const config = { rows: ['r1', 'r2', 'r3'] };
    const sealer = createSealer(parseEncryptionKeys(key));
    const environments = createEnvironmentRepository(database.knex, sealer);
    environmentId = (await environments.create({ name: 't', type, config, is_active: true })).id;
    await database.close();
    const repository = 'https://example.com/acme/shop';
    applicationId = (
      await client.createApplication({
        ...{ name: 'api', repository, type: 'service' },
        config: { image: 'registry.example.com/api' },
      })
    ).id;
  }, 60_000);
  afterAll(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    await own.drop();
  });

  async function deploy(git_tag: string): Promise<string> {
    const repository = 'https://example.com/acme/shop';
    const version = await client.createVersion({ git_tag, git_commit: 'abc1234', repository });
    const { id } = await client.createDeployment({
      version_id: version.id,
      application_ids: [applicationId],
      environment_id: environmentId,
    });
    return id;
  }
  const settled = (id: string) =>
    waitFor(
      `${id} to be settled`,
      async () => {
        const deployment = await client.getDeployment(id);
        return deployment.settled_at !== null && deployment;
      },
      { timeoutMs: 30_000 },
    );
  const versions = async () => {
    const found = await own.query<{ version: string }>('SELECT version FROM places ORDER BY row');
    return found.map(({ version }) => version);
  };
  const verdicts = async (id: string) => {
    const found = await own.query<{ verdict: string }>(
      `SELECT verdict FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = $1 AND NOT r.undo ORDER BY position`,
      [id],
    );
    return found.map(({ verdict }) => verdict);
  };
  const journalOf = (id: string) =>
    own.query<Line>(
      `SELECT j.* FROM journal j JOIN releases r ON r.id = j.release
       WHERE r.deployment_id = $1 AND NOT r.undo ORDER BY seq`,
      [id],
    );
  /** Holds back whoever switches to a version, until it is opened. */
  const close = (version: string) => own.query('INSERT INTO closed_gates VALUES ($1)', [version]);
  const open = (version: string) =>
    own.query('DELETE FROM closed_gates WHERE version = $1', [version]);
  const begun = (id: string) =>
    waitFor(`${id} to be at a row`, async () => (await journalOf(id)).at(-1));

  it('carries out a deployment, row after row', async () => {
    const id = await deploy('v1');
    expect(await settled(id)).toMatchObject({ status: 'success' });
    expect(await versions()).toEqual(['v1', 'v1', 'v1']);
    expect(await client.getHealth(id)).toMatchObject({ healthy: true });
    expect((await journalOf(id)).map(({ row, what }) => `${row} ${what}`)).toEqual(
      rows.flatMap((row) => [`${row} begin`, `${row} end`]),
    );
  }, 60_000);

  it('answers a question', async () => {
    const statuses = await client.getServiceStatus(environmentId, 'api');
    expect(statuses.map(({ host, status }) => [host, status])).toEqual(
      rows.map((row) => [row, 'v1']),
    );
  });

  it('cancels: stops the row in work and returns it', async () => {
    await close('v2');
    const id = await deploy('v2');
    await begun(id);
    await client.cancelDeployment(id);
    expect(await settled(id)).toMatchObject({ status: 'failed' });
    expect(await versions()).toEqual(['v1', 'v1', 'v1']);
    expect(await verdicts(id)).toEqual(['reverted', 'untouched', 'untouched']);
    const lines = (await journalOf(id)).map(({ what }) => what);
    expect(lines).toEqual(['begin', 'stop']);
    await open('v2');
  }, 60_000);

  it('undoes by itself what does not become healthy', async () => {
    const id = await deploy('v3-broken');
    const ended = await settled(id);
    expect(ended).toMatchObject({ status: 'rolled_back' });
    expect(ended.error_message).toContain('api-r1 is broken');
    expect(await versions()).toEqual(['v1', 'v1', 'v1']);
    expect(await verdicts(id)).toEqual(['reverted', 'untouched', 'untouched']);
  }, 60_000);

  it('looks again at the rows that it has switched, and undoes what has sickened', async () => {
    await own.query("INSERT INTO sick_rows VALUES ('api-r1')");
    const id = await deploy('v3-sick');
    const ended = await settled(id);
    expect(ended).toMatchObject({ status: 'rolled_back' });
    expect(ended.error_message).toContain('api-r1 is sick');
    expect(await verdicts(id)).toEqual(['reverted', 'reverted', 'untouched']);
    await own.query('DELETE FROM sick_rows');
  }, 60_000);

  it('goes on with the work of a worker that was killed, and repeats nothing', async () => {
    await close('v4');
    const id = await deploy('v4');
    const { pid } = await begun(id);
    const victim = processes.find((each) => each.pid === pid);
    victim?.kill('SIGKILL');
    const next = await waitFor('another worker', async () =>
      (await journalOf(id)).find(({ what }) => what === 'resume'),
    );
    expect(next.pid).not.toBe(pid);
    await open('v4');
    expect(await settled(id)).toMatchObject({ status: 'success' });
    expect(await versions()).toEqual(['v4', 'v4', 'v4']);
    const began = (await journalOf(id)).filter(({ what }) => what === 'begin');
    expect(began.map(({ row }) => row)).toEqual(rows);
  }, 60_000);
});

import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { needsRedis, needsSshd } from '@floy/testing/needs';
import {
  listenToRedis,
  saidByApi,
  saidInLogs,
  saidInPostgres,
  type Said,
} from './stage/everything-said.js';
import { watchProcesses, type ProcessWatch, type Sighting } from './stage/process-watch.js';
import { keySentinel, sentinelsIn, wordSentinel, type Sentinel } from './stage/sentinels.js';
import { setStage, type Stage } from './stage/stage.js';

await needsRedis();
const describeHere = await needsSshd();

const word = (name: string): string => `sentinel${name}${randomBytes(12).toString('hex')}`;
const password = word('password');
const shared = word('shared');
const gitToken = word('gittoken');
const registryPassword = word('registry');

/** Says a secret in the ways that commands do; builtins only, so that it is no argument. */
const tell = [
  'echo "the password is $DB_PASSWORD and $SHARED_PASSWORD"',
  'printf %s "$DB_PASSWORD" | base64',
  'echo "{\\"url\\":\\"postgres://app:$DB_PASSWORD@db/app\\"}" >&2',
].join('\n');

describeHere('secrets', () => {
  const ends: (() => unknown)[] = [];
  let gitServer: SshdFleet;
  let stage: Stage;
  let watch: ProcessWatch;
  let redis: { stop(): Promise<Said[]> };
  const sentinels: Sentinel[] = [
    wordSentinel('secrets of the application', password),
    wordSentinel('secrets of the environment', shared),
    wordSentinel('git_token', gitToken),
    wordSentinel('registry_auth', registryPassword),
  ];
  const deployments: string[] = [];

  beforeAll(async () => {
    const gitFolder = await mkdtemp(join(tmpdir(), 'floy-git-'));
    ends.push(() => rm(gitFolder, { recursive: true, force: true }));
    gitServer = await startSshdFleet({ folder: gitFolder, hosts: 1 });
    ends.push(gitServer.stop);
    const [server] = gitServer.hosts;
    stage = await setStage({
      queue: 'redis',
      hosts: 2,
      tags: ['v1.0.0', 'v1.1.0-broken', 'v1.2.0-unbuildable', 'v1.3.0-untested'],
      repositoryUrl: (folder) => `ssh://${server?.user}@127.0.0.1:${server?.port}${folder}`,
      config: {
        secrets: { SHARED_PASSWORD: shared },
        restart_command: `${tell}\nsleep 0.2\ncp "$FLOY_RELEASE_PATH/version" "$FLOY_RELEASE_PATH/../../running"`,
        status_command: `${tell}\ntest -e "$FLOY_RELEASE_PATH/../../running"`,
        health_check_command: `case "$FLOY_VERSION" in *-broken) echo "broken: $DB_PASSWORD"; exit 1 ;; esac`,
      },
      applicationConfig: {
        build_command: `${tell}\nsleep 0.3\ncase "$FLOY_VERSION" in *-unbuildable) echo "no: $DB_PASSWORD" >&2; exit 3 ;; esac\nmkdir out; cp version out/`,
        test_command: `${tell}\nsleep 0.3\ncase "$FLOY_VERSION" in *-untested) echo "no: $DB_PASSWORD"; exit 4 ;; esac`,
        git_ssh_key: Buffer.from(gitServer.privateKey).toString('base64'),
        git_token: gitToken,
        registry_auth: `user:${registryPassword}`,
        secrets: { DB_PASSWORD: password },
      },
    });
    ends.push(stage.stop);
    const { fleet, hosts } = stage;
    sentinels.push(
      keySentinel('ssh_key', hosts.privateKey),
      keySentinel('git_ssh_key', gitServer.privateKey),
      wordSentinel('the admin token', fleet.adminToken),
      wordSentinel('the encryption key', fleet.encryptionKey),
    );
    redis = await listenToRedis(fleet);
    watch = watchProcesses(sentinels);
    ends.push(watch.stop);
  }, 60_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, 30_000);

  async function goes(tag: string, status: string, message: RegExp): Promise<void> {
    const { id } = await stage.deploy(tag);
    deployments.push(id);
    const end = await stage.settled(id);
    expect(end).toMatchObject({ status, error_message: expect.stringMatching(message) });
  }

  it('are used, and said by every command that has them', async () => {
    await goes('v1.0.0', 'success', /^$/);
    await goes('v1.1.0-broken', 'rolled_back', /broken: \*\*\*/);
    await goes('v1.2.0-unbuildable', 'failed', /build_command/);
    await goes('v1.3.0-untested', 'failed', /test_command/);
    const { client } = stage.fleet;
    const { tasks } = await client.listTasks({ deployment_id: deployments[0] });
    expect(tasks.map(({ type }) => type).sort()).toEqual(['build', 'deploy', 'test']);
    for (const { id, type } of tasks) {
      const { lines } = await client.getTaskLogs(id);
      // Builds and tests see nothing of the environment.
      const shared = type === 'deploy' ? '***' : '';
      const said = lines.map(({ text }) => text).join('');
      expect(said).toContain(`the password is *** and ${shared}\n`);
    }
  }, 90_000);

  it('are said by no answer to a question', async () => {
    const { client } = stage.fleet;
    const [status] = await client.getServiceStatus(stage.environmentId, 'api');
    const [restarted] = await client.restartService(stage.environmentId, 'api');
    const [place] = stage.places();
    const command = `cat ${place}/.floy/env/current; cat ${join(stage.fleet.folder, 'hosts', 'client_key')} >&2; false`;
    const [shown] = await client.runCommand(stage.environmentId, { command });
    expect(status).toMatchObject({ running: true, status: expect.stringContaining('***') });
    expect(restarted?.output).toContain('the password is *** and ***');
    expect(shown).toMatchObject({ output: expect.stringContaining("DB_PASSWORD='***'") });
    expect(shown?.error).toContain('***');
    expect(sentinelsIn(JSON.stringify([status, restarted, shown]), sentinels)).toEqual([]);
  }, 30_000);

  it('of a repository are known to git alone, also where the server cannot be reached', async () => {
    const { client } = stage.fleet;
    // Nothing listens there: what is looked at is how git is called, and what is said of it.
    const repository = 'https://localhost:1/org/web';
    const config = { git_token: gitToken, build_command: 'true', secrets: { A: password } };
    const application = await client.createApplication({
      ...{ name: 'web', repository, type: 'service' },
      config,
    });
    const version = await client.createVersion({
      ...{ git_tag: 'v1.0.0', git_commit: 'a'.repeat(40), repository },
    });
    const { id } = await client.createDeployment({
      version_id: version.id,
      application_ids: [application.id],
      environment_id: stage.environmentId,
    });
    deployments.push(id);
    expect(await stage.settled(id)).toMatchObject({ status: 'failed' });
  }, 60_000);

  it('are refused without being repeated where they do not fit', async () => {
    const wrong = { git_token: [gitToken], secrets: password, ssh_key: gitServer.privateKey };
    await expect(
      stage.fleet.client.createApplication({
        ...{ name: 'wrong', repository: 'https://localhost/x/y', type: 'service' },
        config: wrong,
      }),
    ).rejects.toThrow(expect.not.stringContaining(gitToken));
  });

  it('are in no row, no answer, no log and nothing of Redis', async () => {
    const { fleet, applicationIds, versionIds, environmentId } = stage;
    const { tasks } = await fleet.client.listTasks({ page_size: 100 });
    const workflows = await fleet.query<{ id: string }>('SELECT id FROM workflows');
    const [artifact] = await fleet.query<{ sha256: string }>('SELECT sha256 FROM artifacts');
    const said = [
      ...(await saidByApi(fleet, {
        ids: {
          applications: [...applicationIds.values()],
          versions: [...versionIds.values()],
          environments: [environmentId],
          tasks: tasks.map(({ id }) => id),
          workflows: workflows.map(({ id }) => id),
          deployments,
        },
        parameters: { service: 'api', sha256: artifact?.sha256 ?? '' },
      })),
      ...(await saidInPostgres(fleet)),
      ...saidInLogs(fleet),
      ...(await redis.stop()),
    ];
    const leaks = said.flatMap(([where, text]) =>
      sentinelsIn(text, sentinels).map((name) => `${name} in ${where}`),
    );
    expect(leaks).toEqual([]);
    // What was looked at is there: a search of nothing finds nothing.
    const places = said.filter(([, text]) => text.length > 0).map(([where]) => where);
    expect(places).toEqual(expect.arrayContaining([...seenPlaces(deployments[0] ?? '')]));
  }, 60_000);

  it('are in no arguments, and in the environment only of what needs them', () => {
    // Until it is the program that it shall be, a child is a copy of its service.
    const isService = (name: string, { command }: Sighting) =>
      new RegExp(`/services/${name}/dist/main\\.js$`).test(command);
    const isCommand = ({ variables }: Sighting) =>
      variables.has('FLOY_APPLICATION') || variables.has('FLOY_RELEASE_PATH');
    const allowed: Record<string, (sighting: Sighting) => boolean> = {
      'secrets of the application': isCommand,
      // A build is for every environment.
      'secrets of the environment': (it) => isCommand(it) && !isBuild(it.variables),
      git_token: ({ variables, command }) =>
        variables.has('GIT_CONFIG_GLOBAL') && command.includes('git') && !isBuild(variables),
      'the admin token': (sighting) => isService('api-gateway', sighting),
      'the encryption key': (sighting) => isService('[a-z-]+', sighting),
    };
    const wrong = watch.sightings.filter(
      (sighting) =>
        sighting.where === 'arguments' || allowed[sighting.sentinel]?.(sighting) !== true,
    );
    expect(wrong).toEqual([]);
    const seen = new Set(watch.sightings.map(({ sentinel }) => sentinel));
    expect([...seen].sort()).toEqual(Object.keys(allowed).sort());
  });

  it('are on a host only in files that nobody else can read', async () => {
    const open: string[] = [];
    let found = 0;
    for (const place of stage.places()) {
      for (const entry of await readdir(place, { recursive: true, withFileTypes: true })) {
        const file = join(entry.parentPath, entry.name);
        if (!entry.isFile()) continue;
        const names = sentinelsIn(await readFile(file, 'latin1'), sentinels);
        if (names.length === 0) continue;
        found += 1;
        const unexpected = names.filter((name) => !name.startsWith('secrets of'));
        if (((await stat(file)).mode & 0o077) !== 0 || unexpected.length > 0) open.push(file);
      }
    }
    expect(open).toEqual([]);
    expect(found).toBeGreaterThan(0);
  });
});

const isBuild = (variables: ReadonlySet<string>): boolean =>
  variables.has('FLOY_APPLICATION') && !variables.has('FLOY_HOST');

function seenPlaces(deployment: string): string[] {
  return [
    'log of api-gateway',
    'log of build-runner',
    'table public.deployments',
    'table public.task_logs',
    'commands sent to Redis',
    `GET /api/v1/deployments/${deployment}/events (text/event-stream, 200)`,
  ];
}

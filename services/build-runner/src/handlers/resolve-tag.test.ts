import type { TagQuestion } from '@floy/contracts';
import { askForTag, lookAtQuestion } from '@floy/database/repositories/questions';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { startSshdFleet } from '@floy/local-servers/sshd';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepository } from '../git/repository.fixture.js';
import { testRunnerDeps } from '../task/runner-deps.fixture.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { resolveTagHandler } from './resolve-tag.js';

const describeHere = await needsSshd();

describeHere('resolve-tag', () => {
  let folder: string;
  let own: TestDatabase;
  let fleet: Awaited<ReturnType<typeof startSshdFleet>>;
  let runtime: TestRuntime;
  let deps: RunnerDeps;
  let commit: string;
  let annotated: string;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-resolve-tag-')));
    await chmod(folder, 0o755);
    const repository = await makeRepository(join(folder, 'web'));
    commit = await repository.commit({ 'app.txt': 'one' });
    repository.git('tag', 'v1');
    annotated = await repository.commit({ 'app.txt': 'two' });
    repository.git('tag', '--annotate', '--message', 'two', 'v2');
    // Names that hold the tag's, which a server may answer too.
    repository.git('tag', 'refs/tags/v3');
    fleet = await startSshdFleet({ folder: join(folder, 'fleet'), hosts: 1 });
    own = await createTestDatabase();
    runtime = await openTestRuntime(own.url);
    deps = await testRunnerDeps(runtime.deps, folder);
  });
  afterAll(async () => {
    await runtime?.close();
    await own?.drop();
    await fleet?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  let made = 0;
  async function asked(repository: string, gitTag: string, config: Record<string, unknown> = {}) {
    made += 1;
    const applications = createApplicationRepository(deps.database.knex, deps.sealer);
    const { id: applicationId } = await applications.create({
      ...{ name: `web ${made}`, repository, type: 'web', config },
    });
    const question: TagQuestion = { kind: 'resolve-tag', timeout: 15, applicationId, gitTag };
    const id = await deps.database.transaction((tx) => askForTag(tx, deps.sealer, question));
    await resolveTagHandler(deps).run({ question_id: id }, new AbortController().signal);
    return lookAtQuestion(deps.database.knex, deps.sealer, id);
  }

  it('answers the commit of a tag, by the address and key of the application', async () => {
    const address = `ssh://${fleet.user}@127.0.0.1:${fleet.hosts[0]?.port}${folder}/web`;
    const key = { git_ssh_key: fleet.privateKey };
    expect(await asked(address, 'v1', key)).toEqual({
      state: 'answered',
      answer: { ok: true, value: commit },
    });
    const refused = await asked(address, 'v1');
    expect(refused).toMatchObject({
      answer: { ok: false, message: expect.stringMatching(/refused access.*git_ssh_key/) },
    });
  });

  it('answers the commit that an annotated tag was put on', async () => {
    const { state, answer } = { answer: undefined, ...(await asked(join(folder, 'web'), 'v2')) };
    expect([state, answer]).toEqual(['answered', { ok: true, value: annotated }]);
  });

  it.each([
    ['v3', /has no tag v3/],
    ['v9', /has no tag v9/],
    ['--upload-pack=touch', /cannot be the name of a tag/],
  ])('says why it cannot say it of %s', async (tag, why) => {
    expect(await asked(join(folder, 'web'), tag)).toMatchObject({
      answer: { ok: false, message: expect.stringMatching(why) },
    });
  });

  it('says that there is no repository', async () => {
    expect(await asked(join(folder, 'none'), 'v1')).toMatchObject({
      answer: { ok: false, message: expect.stringMatching(/no git repository at/) },
    });
  });
});

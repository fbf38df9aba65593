import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import type { QuestionAnswer } from '@floy/contracts';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { examples } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();
const commit = 'a'.repeat(40);

describePostgres('a version without git_commit', () => {
  let gateway: TestGateway;
  let applicationId: string;
  const repository = 'git@git.example.com:org/web.git';
  beforeAll(async () => {
    gateway = await startTestGateway();
    const create = async (name: string, address: string) => {
      const body = { ...examples.application, name, repository: address };
      return String((await gateway.send('POST', '/applications', { body })).body['id']);
    };
    await create('elder', 'https://git.example.com/org/web');
    applicationId = await create('web', repository);
  });
  afterAll(() => gateway.stop());

  const create = (git_tag: string, from = repository, headers: Record<string, string> = {}) =>
    gateway.send('POST', '/versions', { body: { git_tag, repository: from }, headers });
  const asked: string[] = [];
  /** Plays a build-runner that takes one question up. */
  const begun = () =>
    waitFor('a question', async () => {
      const rows = await gateway.db.query<{ id: string }>('SELECT id FROM questions');
      const id = rows.map((row) => row.id).find((each) => !asked.includes(each));
      if (id === undefined) return undefined;
      asked.push(id);
      return gateway.database.transaction((tx) => beginQuestion(tx, gateway.sealer, id));
    });
  const answered = async (answer: QuestionAnswer) => {
    const { id, question } = await begun();
    await gateway.database.transaction((tx) => answerQuestion(tx, gateway.sealer, id, answer));
    return question;
  };
  const commitProblem = (why: RegExp) => ({
    status: 400,
    body: {
      error: {
        code: 'INVALID_REQUEST',
        details: { git_commit: expect.stringMatching(why) },
      },
    },
  });

  it('is made with the commit that the repository has the tag at', async () => {
    const created = create('v1.0.0', repository, { 'Idempotency-Key': 'resolved' });
    const question = await answered({ ok: true, value: commit });
    expect(question).toMatchObject({ kind: 'resolve-tag', applicationId, gitTag: 'v1.0.0' });
    const first = await created;
    expect(first).toMatchObject({
      status: 201,
      body: { git_tag: 'v1.0.0', git_commit: commit, repository, created_by: 'admin@example.com' },
    });
    expect(first.headers.get('location')).toBe(`/api/v1/versions/${first.body['id']}`);
    // The tag may move before the first build: it has been compared already.
    const compared = await gateway.db.query('SELECT 1 FROM versions WHERE tag_compared_at < now()');
    expect(compared).toHaveLength(1);
    const repeated = await create('v1.0.0', repository, { 'Idempotency-Key': 'resolved' });
    expect([repeated.status, repeated.body]).toEqual([201, first.body]);
    const messages = await gateway.db.query('SELECT kind FROM messages');
    expect(messages).toEqual([{ kind: 'resolve-tag' }]);
    const { body } = await gateway.send('GET', '/audit?page_size=2');
    const data = { git_tag: 'v1.0.0', repository };
    expect(body).toMatchObject({
      entries: [
        { outcome: 201, data },
        { outcome: 202, data },
      ],
    });
  });

  it('is 400 naming git_commit where the tag cannot be resolved', async () => {
    const created = create('v9.9.9');
    await answered({
      ...{ ok: false, refused: 'unavailable', message: 'it has no tag v9.9.9', details: {} },
    });
    expect(await created).toMatchObject(commitProblem(/^is required: it has no tag v9\.9\.9$/));
    expect(await gateway.send('GET', '/versions')).toMatchObject({ body: { total: 1 } });
  });

  it('is 400 naming git_commit where no application of the repository exists', async () => {
    expect(await create('v1.0.0', 'https://git.example.com/org/other')).toMatchObject(
      commitProblem(/no application of this repository/),
    );
  });

  it('is 400 naming git_commit where no runner answers', async () => {
    const created = create('v2.0.0');
    await begun();
    await gateway.db.query("UPDATE questions SET answer_by = now() - interval '1 minute'");
    expect(await created).toMatchObject(commitProblem(/no build-runner looked the tag up/));
  });
});

import type { PhysicalQuestion, QuestionAnswer } from '@floy/contracts';
import { askQuestion, lookAtQuestion } from '@floy/database/repositories/questions';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';
import { answerQuestionHandler } from './answer-question.js';

const describeHere = await needsSshd();

describeHere('answer-question', () => {
  let rollout: RolloutFixture;
  let applicationId: string;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 2 });
    applicationId = await rollout.application('api', {
      status_command: 'echo "I am $FLOY_VERSION"',
      secrets: { PASSWORD: 'a very secret word' },
    });
    await rollout.rollOut(await rollout.handOut(applicationId));
  });
  afterEach(() => rollout.fleet.host(1).start());
  afterAll(() => rollout.stop());

  const places = [0, 1] as const;
  const names = () => places.map((host) => rollout.nameOf(host));
  const ask = (question: PhysicalQuestion): Promise<string> =>
    rollout.floy.database.transaction((tx) =>
      askQuestion(
        tx,
        rollout.floy.sealer,
        { id: rollout.floy.environmentId, type: 'physical' },
        question,
      ),
    );
  const answer = (question_id: string) =>
    answerQuestionHandler(rollout.deps).run({ question_id }, new AbortController().signal);
  const look = (id: string) => lookAtQuestion(rollout.floy.database.knex, rollout.floy.sealer, id);
  async function answered(question: PhysicalQuestion): Promise<QuestionAnswer> {
    const id = await ask(question);
    await answer(id);
    const seen = await look(id);
    if (seen.state !== 'answered') throw new Error(`the question is ${seen.state}`);
    return seen.answer;
  }
  const toAll = { hosts: [], timeout: 10 };
  const run = (command: string) => ({ kind: 'run-command', command, ...toAll }) as const;

  it('tells how a service is', async () => {
    const service = { service: 'api', applicationId };
    expect(await answered({ kind: 'service-status', ...service, ...toAll })).toEqual({
      ok: true,
      value: names().map((host) => {
        return { host, running: true, status: 'I am v1', pid: 0, uptime: '' };
      }),
    });
  });

  it('restarts a service', async () => {
    const service = { service: 'api', applicationId };
    expect(await answered({ kind: 'restart-service', ...service, ...toAll })).toMatchObject({
      ok: true,
      value: names().map((host) => ({ host, success: true })),
    });
    for (const host of places)
      expect(await textOf(rollout.placeOf('api', host), 'ledger')).toBe('v1\nv1\n');
  });

  it('runs a command, and masks what hosts may know', async () => {
    const command = `cat ${join(rollout.placeOf('api'), '.floy/env/current')} | grep PASSWORD`;
    const said = await answered(run(`echo one; ${command}; exit 0`));
    expect(said).toMatchObject({ ok: true, value: names().map((host) => ({ host })) });
    expect(JSON.stringify(said)).toContain('one');
    expect(JSON.stringify(said)).not.toContain('very secret');
  });

  it('sends an artifact ahead', async () => {
    const sha256 = await rollout.artifact('ahead');
    expect(
      await answered({ kind: 'upload-artifact', sha256, applicationId, ...toAll }),
    ).toMatchObject({ ok: true, value: names().map((host) => ({ host, success: true })) });
    for (const host of places)
      expect(await textOf(rollout.placeOf('api', host), '.floy/incoming', sha256)).not.toBe('');
  });

  it('has for each host its own answer, where one refuses connections', async () => {
    const [here, away] = names();
    await rollout.fleet.host(1).stop();
    const said = await answered(run('echo here'));
    expect(said).toEqual({
      ok: true,
      value: [
        { host: here, success: true, output: 'here\n', error: '' },
        { host: away, success: false, output: '', error: expect.stringContaining(away ?? '') },
      ],
    });
  });

  it('says what is wrong with a question', async () => {
    expect(await answered({ ...run('true'), hosts: ['elsewhere'] })).toEqual({
      ok: false,
      refused: 'invalid',
      message: 'elsewhere is not a host of the environment',
      details: { hosts: 'elsewhere is not one of them' },
    });
  });

  it('is refused what a release is at work on', async () => {
    const id = await rollout.handOut(applicationId, rollout.floy.versionIds[1]);
    await rollout.carryOut('stage-instance', { deployment_id: id });
    expect(await answered(run('true'))).toMatchObject({ ok: false, refused: 'conflict' });
    await rollout.rollOut(id);
    expect(await answered(run('true'))).toMatchObject({ ok: true });
  });

  it('does nothing once its time has passed, or once it was begun', async () => {
    const mark = join(rollout.fleet.folder, 'mark');
    const late = await ask(run(`echo late >>${mark}`));
    await rollout.floy.own.query(
      "UPDATE questions SET answer_by = now() - interval '1 s' WHERE id = $1",
      [late],
    );
    await answer(late);
    expect(await look(late)).toEqual({ state: 'lost', begun: false });

    const begun = await ask(run(`echo begun >>${mark}`));
    await rollout.floy.own.query('UPDATE questions SET begun_at = now() WHERE id = $1', [begun]);
    await answer(begun);
    expect(await look(begun)).toEqual({ state: 'waiting', begun: true });
    await answer('qst_none');
    expect(await textOf(mark)).toBe('');
  });
});

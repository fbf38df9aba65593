import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { createSealer } from '@floy/secrets/sealing';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { createDatabase, type Database } from '../database.js';
import { noteInAudit } from '../repositories/audit.js';
import { readCheckpoint, writeCheckpoint } from './audit-seal.js';
import { sealAudit } from './seal-audit.js';
import { verifyAudit } from './verify-audit.js';

const describePostgres = await needsPostgres();

describePostgres('the chain of the audit', () => {
  let db: TestDatabase;
  let database: Database;
  const key = randomBytes(32);
  const sealer = createSealer([key]);

  beforeAll(async () => {
    db = await createTestDatabase();
    database = createDatabase({ url: db.url, applicationName: 'floy-test', poolSize: 20 });
  });
  afterAll(async () => {
    await database.close();
    await db.drop();
  });
  beforeEach(async () => {
    await db.query('DELETE FROM audit');
    await db.query(`UPDATE audit_head SET seq = 0, seal = ''`);
  });

  const write = (subject: string) =>
    database.transaction(async (tx) =>
      noteInAudit(tx, {
        actor: 'somebody',
        token_id: null,
        action: 'POST /api/v1/tokens',
        subject,
        outcome: 201,
        request_id: 'r',
        data: { n: 1, command: 'true' },
      }),
    );
  /** Writes so many lines and seals them; answers a checkpoint behind them. */
  async function written(count: number) {
    for (let n = 1; n <= count; n += 1) await write(`line ${n}`);
    return (await sealAudit(database, sealer))!.head;
  }
  const verify = (checkpoint?: { seq: number; seal: string }) =>
    verifyAudit(database.knex, sealer, checkpoint);
  const problems = async (checkpoint?: { seq: number; seal: string }) =>
    (await verify(checkpoint)).problems.map(({ seq, problem }) => `${seq} ${problem}`);

  it('holds 50 writers at once, each line once and in one order', async () => {
    let writing = true;
    const sealing = (async () => {
      while (writing) await sealAudit(database, sealer);
    })();
    await Promise.all(Array.from({ length: 50 }, (_, n) => write(`line ${n}`)));
    writing = false;
    await sealing;
    await Promise.all([sealAudit(database, sealer), sealAudit(database, sealer)]);
    await sealAudit(database, sealer);
    const report = await verify();
    expect(report).toMatchObject({ intact: 50, unsealed: 0, problems: [], head: { seq: 50 } });
    await db.query(`UPDATE audit SET actor = 'another' WHERE seq = 33`);
    expect(await problems()).toEqual(['33 is not as it was sealed']);
  });

  it.each([
    [`actor = 'another'`],
    [`at = at + interval '1 microsecond'`],
    [`outcome = 403`],
    [`data = '{"command": "true", "n": 2}'`],
    [`token_id = ''`],
    [`subject = subject || ' '`],
    [`seal = repeat('0', 64)`],
  ])('shows an edited line at its row: %s', async (change) => {
    await written(6);
    await db.query(`UPDATE audit SET ${change} WHERE seq = 4`);
    const { problems: found, intact } = await verify();
    const [{ id } = { id: '' }] = await db.query<{ id: string }>(
      'SELECT id FROM audit WHERE seq = 4',
    );
    expect(found[0]).toEqual({ seq: 4, id, problem: 'is not as it was sealed' });
    expect(intact).toBeGreaterThanOrEqual(4);
  });

  it('shows a deleted line, and several', async () => {
    await written(6);
    await db.query('DELETE FROM audit WHERE seq IN (2, 4, 5)');
    expect(await problems()).toEqual(['2 is missing', '4 to 5 are missing']);
  });

  it('shows lines in another order', async () => {
    await written(6);
    await db.query('UPDATE audit SET seq = -seq WHERE seq IN (2, 3)');
    await db.query('UPDATE audit SET seq = 5 + seq WHERE seq < 0');
    expect(await problems()).toEqual([
      '2 is not as it was sealed',
      '3 is not as it was sealed',
      '4 does not follow the line before it',
    ]);
  });

  it('shows a line that was put in by somebody without the key', async () => {
    const { seal } = await written(3);
    await db.query(
      `INSERT INTO audit (id, actor, action, outcome, seq, previous, seal)
       VALUES ('aud_forged', 'x', 'y', 200, 4, $1, $2)`,
      [seal, createSealer([randomBytes(32)]).fingerprint('forged', 'audit')],
    );
    expect(await problems()).toEqual(['4 stands behind the end of the chain']);
    await db.query(`UPDATE audit_head SET seq = 4`);
    expect(await problems()).toEqual(expect.arrayContaining(['4 is not as it was sealed']));
  });

  it('shows a tail that was cut off, by its head', async () => {
    await written(6);
    await db.query('DELETE FROM audit WHERE seq > 4');
    expect(await problems()).toEqual(['5 to 6 are missing, cut off at the end']);
  });

  it('shows a tail that was cut off with its head, by a checkpoint and to who sealed it', async () => {
    await written(4);
    const [old] = await db.query<{ seq: number; seal: string }>('SELECT seq, seal FROM audit_head');
    const checkpoint = await written(2);
    await db.query('DELETE FROM audit WHERE seq > 4');
    await db.query('UPDATE audit_head SET seq = $1, seal = $2', [old!.seq, old!.seal]);
    expect(await problems()).toEqual([]);
    expect(await problems(checkpoint)).toEqual(['5 to 6 are missing, which the checkpoint has']);
    await written(2);
    expect(await problems(checkpoint)).toEqual(['6 is another line than the checkpoint has']);
    expect(await sealAudit(database, sealer, checkpoint)).toMatchObject({ cut: true });
  });

  it('goes on behind what was done to it, and shows both ends', async () => {
    await written(3);
    await db.query('DELETE FROM audit WHERE seq = 3');
    await written(2);
    expect(await problems()).toEqual(['3 is missing']);
    await db.query('UPDATE audit SET seq = NULL WHERE seq = 1');
    expect(await verify()).toMatchObject({ unsealed: 1, intact: 3 });
    await sealAudit(database, sealer);
    expect(await problems()).toEqual(['1 is missing', '3 is missing']);
  });

  it('is verified by keys of before, and by no others', async () => {
    await written(2);
    const next = randomBytes(32);
    const rotated = createSealer([next, key]);
    await write('line 3');
    await sealAudit(database, rotated);
    expect(await verifyAudit(database.knex, rotated)).toMatchObject({ intact: 3, problems: [] });
    const stranger = await verifyAudit(database.knex, createSealer([next]));
    expect(stranger).toMatchObject({ intact: 1 });
  });

  it('has checkpoints that a person can keep', async () => {
    const checkpoint = await written(1);
    expect(readCheckpoint(writeCheckpoint(checkpoint))).toEqual(checkpoint);
    expect(readCheckpoint('1:x')).toBeUndefined();
    expect(await problems(checkpoint)).toEqual([]);
  });
});

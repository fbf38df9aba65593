import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { writeCheckpoint } from '@floy/database/audit/audit-seal';
import { sealAudit } from '@floy/database/audit/seal-audit';
import { createDatabase } from '@floy/database/database';
import { createSealer } from '@floy/secrets/sealing';
import { createTestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';

const describePostgres = await needsPostgres();
const program = fileURLToPath(new URL('../dist/audit.js', import.meta.url));

describePostgres('npm run audit -- verify', () => {
  it('ends with 0 while the audit is as it was written, and says which line was changed', async () => {
    const db = await createTestDatabase();
    const database = createDatabase({ url: db.url, applicationName: 'floy-test' });
    const key = randomBytes(32);
    const run = async (...words: string[]) => {
      const env = {
        PATH: process.env['PATH'],
        FLOY_DATABASE_URL: db.url,
        FLOY_ENCRYPTION_KEY: key.toString('base64'),
      };
      return promisify(execFile)(process.execPath, [program, ...words], { env }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
      );
    };
    try {
      for (const id of ['aud_1', 'aud_2', 'aud_3'])
        await db.query(
          `INSERT INTO audit (id, actor, action, outcome) VALUES ($1, 'a', 'b', 201)`,
          [id],
        );
      const round = await sealAudit(database, createSealer([key]));
      const checkpoint = writeCheckpoint(round!.head);
      const [good, known] = await Promise.all([run('verify'), run('verify', checkpoint)]);
      expect([good.code, known.code]).toEqual([0, 0]);
      expect(good.stdout).toContain(checkpoint);
      await db.query(`UPDATE audit SET actor = 'x' WHERE seq = 2`);
      const [changed, wrong] = await Promise.all([run('verify'), run('verify', 'everything')]);
      expect(changed.code).toBe(1);
      expect(changed.stdout).toMatch(/"seq":2,.*is not as it was sealed.*"id":"aud_2"/);
      expect(wrong.code).toBe(78);
    } finally {
      await database.close();
      await db.drop();
    }
  });
});

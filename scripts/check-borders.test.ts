import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const script = fileURLToPath(new URL('check-borders.mjs', import.meta.url));
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-borders-'));
  await add('libs/domain/package.json', '{"name":"@floy/domain"}');
  await add('services/one/package.json', '{"name":"@floy/one","dependencies":{"knex":"1"}}');
  await add('services/two/package.json', '{"name":"@floy/two"}');
  await add('services/standalone/package.json', '{"dependencies":{"@floy/one":"*"}}');
  await add('services/standalone/src/main.ts', `import { compose } from '@floy/one';\n`);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function add(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

function check(): { status: number | null; said: string[] } {
  const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  return { status, said: stderr.split('\n').filter(Boolean).slice(0, -1) };
}

describe('the borders', () => {
  it('let through what keeps to them', () => {
    expect(check()).toEqual({ status: 0, said: [] });
  });

  it.each([
    ['libs/domain/src/a.ts', `import { readFile } from 'node:fs';`, 'libs/domain imports nothing'],
    ['services/one/src/a.ts', `import '@floy/two';`, 'only standalone does'],
    ['services/one/src/a.ts', `import type { Knex } from 'knex';`, 'it stays in libs/database'],
    ['services/one/src/a.ts', `const it = await import('ssh2');`, 'it stays in ssh/ folders'],
    ['services/one/src/a.ts', `export * from '../../two/src/a.js';`, 'leaves its package'],
    ['services/one/src/a.ts', `import pg from 'pg';`, 'not in its package.json'],
    ['services/one/src/a.ts', `import {\n  x,\n} from 'fs';`, 'write node:fs'],
    ['services/one/src/a.ts', 'sql`UPDATE tasks SET\n x = 1, status = ?`', 'writes a status'],
  ])('%s: %s', async (path, text, reason) => {
    await add(path, `\n${text}\n`);
    const { status, said } = check();
    expect(status).toBe(1);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(reason);
    expect(said[0]).toMatch(new RegExp(`^${path}:[2-4] `));
  });
});

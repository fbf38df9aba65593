import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const program = fileURLToPath(new URL('../../node_modules/oxlint/bin/oxlint', import.meta.url));
const plugin = fileURLToPath(new URL('statements.mjs', import.meta.url));

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-statements-'));
  const rules = { 'floy/no-statements': 'error', 'floy/status-in-transitions': 'error' };
  await add('.oxlintrc.json', JSON.stringify({ plugins: [], jsPlugins: [plugin], rules }));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function add(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

/** The rules that a line of code breaks, each once. */
async function broken(code: string, path = 'services/one/src/a.ts'): Promise<string[]> {
  await add(path, `export const it = async () => ${code};\n`);
  const { stdout } = spawnSync(process.execPath, [program, '--format', 'json', '-A', 'all'], {
    cwd: root,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string }[] };
  return [...new Set(diagnostics.map(({ code: rule }) => /\((.+)\)/.exec(rule)?.[1] ?? rule))];
}

describe('a status is written by transitions only', () => {
  it.each([
    '`UPDATE tasks SET result = ?, status = ? WHERE id = ?`',
    `'update "release_instances" as i set "status" = 1'`,
    '`WITH x AS (UPDATE ONLY public.deployments SET status = ${status}) SELECT 1`',
    `knex('tasks').where({ id }).update({ status: 'failed' })`,
    `tx.knex<TaskRow>('tasks').update('status', 'failed')`,
    `build('releases').where({ id }).update({ 'status': 'failed', at }).returning('id')`,
    `knex.from('workflows as w').update({ ...rest, status })`,
    `knex('tasks').update(columns)`,
    `knex('deployments').insert(row).onConflict('id').merge({ status })`,
    `knex(tables[machine]).update({ status })`,
    `query.update({ status })`,
  ])('%s', async (code) => {
    expect(await broken(code, 'libs/database/src/a.ts')).toContain('status-in-transitions');
  });

  it.each([
    `'UPDATE tasks SET result = 1 WHERE status = 2'`,
    `'UPDATE messages SET status = 1'`,
    `knex('hosts').update({ status: 1 })`,
    `knex('tasks').update({ result: '' })`,
    `knex('tasks').insert({ status: 'pending' })`,
    `hash.update(text).digest('hex')`,
  ])('but not here: %s', async (code) => {
    expect(await broken(code, 'libs/database/src/a.ts')).not.toContain('status-in-transitions');
  });

  it('and not by the method of a repository', async () => {
    expect(await broken('tasks.update({ id, status, result })')).toEqual([]);
  });
});

describe('a service runs no statement of its own', () => {
  it.each([
    `tx.row('SELECT 1')`,
    'tx.rows<Row>(`SELECT * FROM tasks`, [id])',
    `tx.execute(sql)`,
    `tx.atEnd('DELETE FROM slots')`,
    `transaction.execute('LOCK slots')`,
    `database.knex.raw('SELECT 1')`,
    `tx.knex('tasks').where({ id })`,
    `tx.knex<TaskRow>('tasks')`,
    `deps.database.knex.select('id').from('tasks')`,
    `knex('tasks').first()`,
    `tx.build('tasks').insert(row)`,
  ])('%s', async (code) => {
    expect(await broken(code)).toContain('no-statements');
  });

  it.each([
    `readTask(tx.knex, id)`,
    `createTaskRepository(database.knex, (work) => work(tx))`,
    `executor.execute('restart')`,
    `String.raw('x')`,
    `table.row(3)`,
    `image.build(words)`,
    `tx.send('run-task', { id })`,
  ])('but may: %s', async (code) => {
    expect(await broken(code)).toEqual([]);
  });
});

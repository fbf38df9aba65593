import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const PROGRAM = 'dependency-cruiser/bin/dependency-cruise.mjs';
const program = fileURLToPath(new URL(`../node_modules/${PROGRAM}`, import.meta.url));
const config = fileURLToPath(new URL('../.dependency-cruiser.mjs', import.meta.url));

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-borders-')));
  await mkdir(join(root, 'node_modules/@floy'), { recursive: true });
  for (const name of ['knex', 'pg', 'bullmq', 'ssh2', 'express', '@kubernetes/client-node']) {
    await add(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    await add(`node_modules/${name}/index.js`, 'export {};');
  }
  const external = {
    bullmq: '1',
    express: '1',
    knex: '1',
    ssh2: '1',
    '@kubernetes/client-node': '1',
  };
  await addPackage('libs/domain', 'domain');
  await addPackage('libs/database', 'database', { knex: '1' });
  await addPackage('libs/testing', 'testing');
  await addPackage('services/one', 'one', { '@floy/database': '*', ...external });
  await addPackage('services/two', 'two', { '@floy/one': '*' });
  await addPackage('services/standalone', 'standalone', { '@floy/one': '*' });
  await add('libs/database/src/transitions/set-status.ts', `import 'knex';\n`);
  await add('libs/database/src/statement.ts', 'export {};\n');
  await add('libs/database/src/transitions/end.ts', `import './set-status.js';\n`);
  await add('services/standalone/src/main.ts', `import '@floy/one/index';\n`);
  await add('services/one/src/index.ts', `import '@floy/database/index';\n`);
  await add('services/one/src/ssh/connect.ts', `import 'ssh2';\n`);
  await add('services/one/src/routes/table.ts', `import 'express';\n`);
  await add('services/one/src/index.test.ts', `import '@floy/testing/index';\nimport 'knex';\n`);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function add(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

async function addPackage(folder: string, name: string, dependencies = {}): Promise<void> {
  const exported = { './*': { 'floy:src': './src/*.ts', default: './dist/*.js' } };
  const manifest = { name: `@floy/${name}`, exports: exported, dependencies };
  await add(`${folder}/package.json`, JSON.stringify(manifest));
  await add(`${folder}/src/index.ts`, 'export {};\n');
  await symlink(join(root, folder), join(root, 'node_modules/@floy', name));
}

/** The crossed borders, as `rule: file → import`. */
function crossed(): string[] {
  const words = [program, '--config', config, '--output-type', 'json', 'libs', 'services'];
  const { stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  expect(stderr).toBe('');
  const { summary } = JSON.parse(stdout) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] };
  };
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

describe('the borders between packages', () => {
  it('let through what keeps to them', () => {
    expect(crossed()).toEqual([]);
  });

  it.each([
    ['libs/domain/src/a.ts', `import { readFile } from 'node:fs';`, 'domain-imports-nothing'],
    ['libs/database/src/a.ts', `import './transitions/set-status.js';`, 'status-in-transitions'],
    [
      'services/one/src/a.ts',
      `export * from '@floy/database/transitions/set-status';`,
      'status-in-transitions',
    ],
    ['services/two/src/a.ts', `import type { x } from '@floy/one/index';`, 'services-apart'],
    ['services/one/src/a.ts', `import type { Knex } from 'knex';`, 'knex-stays'],
    ['services/one/src/a.ts', `const it = await import('ssh2');`, 'ssh-stays'],
    ['services/one/src/a.ts', `import 'bullmq';`, 'queue-stays'],
    ['services/one/src/a.ts', `import 'express';`, 'http-stays'],
    ['services/one/src/a.ts', `import '@kubernetes/client-node';`, 'cluster-stays'],
    ['services/one/src/a.ts', `import 'pg';`, 'declared'],
    ['services/one/src/a.ts', `import { x } from '@floy/domain/index';`, 'declared'],
    ['services/one/src/a.ts', `import '@floy/nowhere';`, 'not-found'],
    [
      'services/one/src/a.ts',
      `import { rowOf } from '@floy/database/statement';`,
      'statements-stay',
    ],
    ['services/one/src/a.ts', `import '../../../libs/database/src/index.js';`, 'packages-by-name'],
    ['services/one/src/a.ts', `import './index.test.js';`, 'tests-apart'],
    ['services/one/src/a.test.ts', `import 'pg';`, 'declared'],
  ])('%s: %s', async (path, text, rule) => {
    await add(path, `${text}\n`);
    expect(crossed()).toEqual([expect.stringMatching(new RegExp(`^${rule}: ${path} → `))]);
  });

  it('let no circle through, not even one of types', async () => {
    await add('services/one/src/a.ts', `import type { B } from './b.js';\n`);
    await add('services/one/src/b.ts', `import { type A } from './a.js';\n`);
    expect(crossed()).toEqual(['no-cycle: services/one/src/a.ts → services/one/src/b.ts']);
  });
});

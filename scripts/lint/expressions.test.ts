import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const program = fileURLToPath(new URL('../../node_modules/oxlint/bin/oxlint', import.meta.url));
const plugin = fileURLToPath(new URL('expressions.mjs', import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-expressions-'));
  const rules = { 'expressions/linear': 'error' };
  const config = JSON.stringify({ plugins: [], jsPlugins: [plugin], rules });
  await writeFile(join(root, '.oxlintrc.json'), config);
});
afterAll(() => rm(root, { recursive: true, force: true }));

it('finds expressions that take more than linear time, or that nobody can judge', async () => {
  const refused = [
    String.raw`/\{\{\s*([^{}]*?)\s*\}\}/g`,
    String.raw`/\/+$/`,
    '/(a+)+$/',
    String.raw`new RegExp('\\s+$')`,
    'RegExp(text)',
    'new RegExp(`^${name}`)',
    String.raw`({ pattern: '^(a|a)*$' })`,
  ];
  const kept = [
    String.raw`/\{\{([^{}]*)\}\}/g`,
    String.raw`/^[a-z]+$/`,
    `new RegExp('^a+$')`,
    `({ pattern: '^a+$', other: '(a+)+$' })`,
  ];
  const lines = [...refused, ...kept].map((code, at) => `export const it${at} = ${code};`);
  await writeFile(join(root, 'a.ts'), lines.join('\n'));
  const { stdout } = spawnSync(process.execPath, [program, '--format', 'json', '-A', 'all'], {
    cwd: root,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { labels: { span: { line: number } }[] }[];
  };
  const found = diagnostics.map(({ labels }) => labels[0]?.span.line).sort((a, b) => a! - b!);
  expect(found).toEqual(refused.map((_, at) => at + 1));
});

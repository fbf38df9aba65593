import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { findPrograms } from '@floy/local-servers/find-program';
import { createMetrics } from '@floy/service-kit/metrics';
import { needs } from '@floy/testing/needs';
import { parse } from 'yaml';

const folder = dirname(fileURLToPath(import.meta.url));
const root = join(folder, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The metrics that sources make, by `metrics.counter('floy_…', …)` and the like. */
function made(): string[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-co', '--exclude-standard', 'libs', 'services'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const makes = /\bmetrics\s*\.(?:counter|gauge|histogram|sampled)\(\s*'(\w+)'/g;
  const sources = listed.split('\n').filter((path) => /(?<!\.test)\.ts$/.test(path));
  return sources
    .flatMap((path) => [...read(path).matchAll(makes)].map(([, name = '']) => name))
    .sort();
}

function namedIn(text: string): Set<string> {
  const names = [...text.matchAll(/\bfloy_[a-z_]+/g)].map(([name]) => name);
  return new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, '')));
}

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[];
}
const rules = (parse(read('deploy/observability/floy.rules.yml')) as Rules).groups.flatMap(
  (group) => group.rules,
);
const operating = read('docs/operating.md');

const [promtool] = findPrograms('promtool', process.env['PATH'] ?? '');
const describeHere = await needs('promtool', promtool, 'install prometheus (no need to start it)');
describeHere('the alert rules, as Prometheus reads them', () => {
  const run = (...words: string[]): string =>
    execFileSync(promtool ?? '', words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });

  it('are well-formed', () => {
    expect(run('check', 'rules', 'floy.rules.yml')).toContain(`${rules.length} rules found`);
  });

  it('ring when they have to', () => {
    expect(run('test', 'rules', 'floy.rules.test.yml')).toContain('SUCCESS');
  });
});

describe('the metrics', () => {
  it('that rules ask for are made by the code, or by the process itself', async () => {
    const ofProcess = (await createMetrics().exposition()).text;
    const known = new Set(made());
    for (const { alert, expr } of rules) {
      for (const name of namedIn(expr))
        expect({ alert, has: known.has(name) && name }).toEqual({ alert, has: name });
      for (const [name] of expr.matchAll(/\b(process|nodejs)_\w+/g))
        expect(ofProcess).toContain(`# TYPE ${name} `);
    }
  });

  it('are all described in docs/operating.md, and no other', () => {
    expect([...namedIn(operating)].sort()).toEqual([...new Set(made())].sort());
  });

  it('have rules that docs/operating.md explains', () => {
    const explained = [...operating.matchAll(/\bFloy[A-Z]\w+/g)].map(([name]) => name);
    expect([...new Set(explained)].sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });
});

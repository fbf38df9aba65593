import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const describeWithPostgres = await needsPostgres();

describeWithPostgres('docs/generated', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  }, 60_000);
  afterAll(() => database.drop());

  it('is what the code says', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts/generate.mjs'), '--check'],
      {
        encoding: 'utf8',
        env: { ...process.env, FLOY_GENERATE_DATABASE_URL: database.url },
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }, 60_000);
});

describe('every Markdown file', () => {
  const files = markdownBelow(root);

  it('is found', () => {
    expect(files.map((file) => relative(root, file))).toEqual(
      expect.arrayContaining(['README.md', 'docs/tour.md', 'docs/generated/states.md']),
    );
  });

  it('links to files and headings that are there', () => {
    expect(files.flatMap(brokenLinks)).toEqual([]);
  });

  it('shows a broken link', () => {
    expect(brokenTargets(join(root, 'README.md'), '[a](nowhere.md) [b](#nothing)')).toEqual([
      'nowhere.md',
      '#nothing',
    ]);
  });
});

describe('docs/security.md', () => {
  const page = join(root, 'docs/security.md');
  const text = readFileSync(page, 'utf8');

  it('names every attack of the list', () => {
    const named = [...text.matchAll(/^\| (S\d\d) /gm)].map(([, number]) => number);
    const all = Array.from({ length: 22 }, (_, n) => `S${String(n + 1).padStart(2, '0')}`);
    expect(named).toEqual(all);
  });

  it('quotes tests that are in the files it links', () => {
    expect(quotedTests(text).length).toBeGreaterThan(40);
    expect(missingTests(page, text)).toEqual([]);
  });

  it('shows a test that is not there', () => {
    expect(missingTests(page, '[a](../e2e/src/docs.test.ts) “no such test at\u00a0all”')).toEqual([
      '../e2e/src/docs.test.ts: no such test at\u00a0all',
    ]);
  });
});

/** The tests that stand in quotes behind a link to their file. */
function quotedTests(text: string): { file: string; name: string }[] {
  const links = text.matchAll(/\]\(([^()\s]+\.test\.ts)\)((?: “[^”]+”)*)/g);
  return [...links].flatMap(([, file = '', quotes = '']) =>
    [...quotes.matchAll(/“([^”]+)”/g)].map(([, name = '']) => ({ file, name })),
  );
}

function missingTests(page: string, text: string): string[] {
  return quotedTests(text)
    .filter(({ file, name }) => {
      const path = join(dirname(page), file);
      return !existsSync(path) || !readFileSync(path, 'utf8').includes(name);
    })
    .map(({ file, name }) => `${file}: ${name}`);
}

function markdownBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (['node_modules', 'dist'].includes(entry.name) || /^\.(?!ci$)/.test(entry.name)) return [];
    if (entry.isDirectory()) return markdownBelow(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

function brokenLinks(file: string): string[] {
  return brokenTargets(file, readFileSync(file, 'utf8')).map(
    (target) => `${relative(root, file)}: ${target}`,
  );
}

/** Relative links of a text whose file, folder or heading does not exist. */
function brokenTargets(file: string, text: string): string[] {
  const prose = withoutCode(text);
  const links = [...prose.matchAll(/\]\(([^()\s]+)\)|\b(?:src|href|srcset)="([^"]+)"/g)];
  return links
    .map(([, link, attribute]) => link ?? attribute ?? '')
    .filter((target) => !/^([a-z]+:|\/\/)/.test(target) && !leadsSomewhere(file, target));
}

function leadsSomewhere(file: string, target: string): boolean {
  const [path = '', fragment] = target.split('#');
  const place = path === '' ? file : join(dirname(file), decodeURIComponent(path));
  if (path.startsWith('/') || !existsSync(place)) return false;
  if (fragment === undefined) return true;
  if (statSync(place).isDirectory() || !place.endsWith('.md')) return false;
  return headingsOf(readFileSync(place, 'utf8')).includes(decodeURIComponent(fragment));
}

/** The names that headings get as links, as GitHub makes them. */
function headingsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').matchAll(/^#{1,6} +(.+)$/gm)].map(
    ([, heading = '']) => {
      const name = heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
        .replaceAll(' ', '-');
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return count === 0 ? name : `${name}-${count}`;
    },
  );
}

function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
}

// Checks the borders of CONTRIBUTING.md: who may import what, and who may write a status.
// `node scripts/check-borders.mjs [root]`; exits 1 and names file, line and reason.
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));

/** Packages that only some places may import. `places` match the path below the root. */
const RESERVED = [
  { packages: /^knex$/, places: /^libs\/database\//, where: 'libs/database' },
  // The bench measures the queue's bare cost.
  {
    packages: /^(bullmq|ioredis)$/,
    places: /^(libs\/messaging|bench)\//,
    where: 'libs/messaging and bench',
  },
  { packages: /^ssh2$/, places: /\/ssh\//, where: 'ssh/ folders' },
  { packages: /^@kubernetes\//, places: /\/cluster\//, where: 'cluster/ folders' },
  {
    packages: /^(express|express-rate-limit|helmet|swagger-ui-dist|@bull-board\/.+)$/,
    places: /\/routes\/|^libs\/service-kit\//,
    where: 'routes/ folders and libs/service-kit',
  },
];

/** What tests may import beside what their package declares. */
const FOR_TESTS = /^(@jest\/globals|fast-check|@floy\/(testing|local-servers|client))$/;

/** The statement that only `libs/database/src/transitions` may hold. */
const WRITES_STATUS =
  /\bupdate\s+(deployments|workflows|tasks|releases|release_instances)\b[^;`]*?\bset\b[^;`]*?\bstatus\s*=/gi;
const MAY_WRITE_STATUS = /^libs\/database\/src\/(transitions|migrations)\//;

const IMPORTS =
  /(?:^|\n)\s*(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]+\s+from\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

const problems = [];
for (const folder of packageFolders()) checkPackage(folder);
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} crossed borders: see "Borders" in CONTRIBUTING.md`);
  process.exitCode = 1;
}

function packageFolders() {
  const below = ['libs', 'services'].flatMap((group) => {
    if (!existsSync(join(root, group))) return [];
    return readdirSync(join(root, group)).map((name) => `${group}/${name}`);
  });
  return [...below, 'deploy/demo', 'e2e', 'bench'].filter((folder) =>
    existsSync(join(root, folder, 'package.json')),
  );
}

function checkPackage(folder) {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const declared = new Set([
    manifest.name,
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
    ...Object.keys(manifest.devDependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {}),
  ]);
  for (const file of sourcesIn(join(root, folder))) {
    const path = relative(root, file);
    const text = readFileSync(file, 'utf8');
    for (const match of text.matchAll(IMPORTS)) {
      const name = match[1] ?? match[2];
      const reason = objection({ folder, path, name, declared });
      if (reason) report(path, text, match.index + match[0].indexOf(name), reason);
    }
    if (MAY_WRITE_STATUS.test(path) || isForTests(folder, path)) continue;
    for (const match of text.matchAll(WRITES_STATUS)) {
      report(path, text, match.index, `writes a status: only libs/database/src/transitions does`);
    }
  }
}

function objection({ folder, path, name, declared }) {
  const isTest = isForTests(folder, path);
  if (name.startsWith('.')) {
    const target = relative(join(root, folder), resolve(root, dirname(path), name));
    return target.startsWith('..') ? `leaves its package for ${name}` : undefined;
  }
  if (folder === 'libs/domain' && !isTest) return `imports ${name}: libs/domain imports nothing`;
  if (isBuiltin(name)) {
    return name.startsWith('node:') ? undefined : `imports ${name}: write node:${name}`;
  }
  const [first, second] = name.split('/');
  const target = first.startsWith('@') ? `${first}/${second}` : first;
  const crossing = crossesServices(folder, target);
  if (crossing) return crossing;
  for (const { packages, places, where } of RESERVED) {
    if (packages.test(target) && !places.test(path) && !isTest) {
      return `imports ${target}: it stays in ${where}`;
    }
  }
  if (declared.has(target) || (isTest && FOR_TESTS.test(target))) return undefined;
  return `imports ${target}, which is not in its package.json`;
}

/** A test, or what only the tests of a package use. */
function isForTests(folder, path) {
  const below = path.slice(folder.length);
  return (
    /\.(test|contract|fixture)\.ts$/.test(path) || below.includes('/testing/') || folder === 'e2e'
  );
}

/** Services talk through messages and the database; `standalone` puts them together. */
function crossesServices(folder, target) {
  const isService = existsSync(
    join(root, 'services', target.replace('@floy/', ''), 'package.json'),
  );
  if (!target.startsWith('@floy/') || !isService || folder === 'services/standalone')
    return undefined;
  if (`services/${target.slice('@floy/'.length)}` === folder) return undefined;
  return `imports the service ${target}: only standalone does`;
}

function* sourcesIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourcesIn(path);
    else if (/\.(ts|tsx|mts)$/.test(entry.name) && !entry.name.endsWith('.d.ts')) yield path;
  }
}

function report(path, text, index, reason) {
  const line = text.slice(0, index).split('\n').length;
  problems.push(`${path}:${line} ${reason}`);
}

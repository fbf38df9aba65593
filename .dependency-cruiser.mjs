// The borders of CONTRIBUTING.md, as far as imports show them: scripts/lint/statements.mjs has
// the rest.
// TypeScript 7 has no compiler API, so swc parses; it keeps imports of types, and so do the rules.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const PACKAGES = [
  ...['libs', 'services'].flatMap((group) =>
    existsSync(group) ? readdirSync(group).map((name) => `${group}/${name}`) : [],
  ),
  ...['deploy/demo', 'e2e', 'bench'],
]
  .filter((folder) => existsSync(`${folder}/package.json`))
  .map((folder) => {
    return { folder, manifest: JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) };
  });

/** Tests, and what only tests use. */
const FOR_TESTS = String.raw`(\.(test|contract|fixture)\.(ts|mjs)$|/testing/|^e2e/)`;

/** Packages that only some places may import. */
const RESERVED = {
  knex: { packages: 'knex', places: '^libs/database/' },
  // The bench measures the queue's bare cost.
  queue: { packages: 'bullmq|ioredis', places: '^(libs/messaging|bench)/' },
  ssh: { packages: 'ssh2', places: '/ssh/' },
  cluster: { packages: '@kubernetes/[^/]+', places: '/cluster/' },
  http: {
    packages: 'express|express-rate-limit|helmet|swagger-ui-dist|@bull-board/[^/]+',
    places: '/routes/|^libs/service-kit/',
  },
};

/** What tests may import beside what their package declares. */
const SHARED_BY_TESTS = [
  ...['@jest/globals', '@swc/core', 'fast-check'],
  ...['@floy/testing', '@floy/local-servers', '@floy/client'],
];

const forbidden = [
  {
    name: 'no-cycle',
    comment: 'Files import each other in a circle, be it by types only.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'not-found',
    comment: 'There is no such file or package.',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'domain-imports-nothing',
    comment: 'libs/domain is pure: it imports nothing, not even Node.',
    from: { path: '^libs/domain/', pathNot: FOR_TESTS },
    to: { pathNot: '^libs/domain/' },
  },
  {
    name: 'services-apart',
    comment:
      'Services talk through messages and the database; only standalone and tests of the whole put them together.',
    from: { path: '^(?:[^/]+)/([^/]+)/', pathNot: ['^services/standalone/', '^e2e/'] },
    to: { path: '^services/', pathNot: '^services/$1/' },
  },
  {
    name: 'packages-by-name',
    comment: 'Another package is imported by its name, not by a path.',
    from: { path: '^(libs/[^/]+|services/[^/]+|deploy/demo|e2e|bench)/' },
    to: { pathNot: '^$1/', dependencyTypes: ['local'] },
  },
  {
    name: 'status-in-transitions',
    comment: 'Only libs/database/src/transitions writes a status.',
    from: {
      path: '^(libs|services|bench|e2e|deploy)/',
      pathNot: '^libs/database/src/transitions/',
    },
    to: { path: '^libs/database/src/transitions/set-status' },
  },
  {
    name: 'statements-stay',
    comment: 'SQL stays in libs/database: call a function of it.',
    from: { path: '^(services|libs/managers)/', pathNot: FOR_TESTS },
    to: { path: '^libs/database/src/statement' },
  },
  {
    name: 'tests-apart',
    comment: 'What ships imports nothing that is there for tests.',
    from: { pathNot: [FOR_TESTS, '^(libs/testing|bench|deploy/demo)/'] },
    to: { path: [FOR_TESTS, '^libs/testing/'] },
  },
  ...Object.entries(RESERVED).map(([name, { packages, places }]) => ({
    name: `${name}-stays`,
    comment: `Stays in ${places}.`,
    from: { pathNot: [places, FOR_TESTS] },
    to: { path: `(^|node_modules/)(${packages})(/|$)` },
  })),
  ...PACKAGES.flatMap(declaredOnly),
];

/** What a package imports stands in its package.json; what is there for tests may use more. */
function declaredOnly({ folder, manifest }) {
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest;
  const shipped = { ...dependencies, ...optionalDependencies, ...peerDependencies };
  const forShipping = [manifest.name, ...Object.keys(shipped)];
  const forTests = [...forShipping, ...Object.keys(devDependencies ?? {}), ...SHARED_BY_TESTS];
  const rule = (from, names) => ({
    name: 'declared',
    comment: `It is not in ${folder}/package.json.`,
    from,
    to: { path: '^(libs|services)/|node_modules/', pathNot: names.map(placeOf) },
  });
  return [
    rule({ path: `^${folder}/`, pathNot: FOR_TESTS }, forShipping),
    rule({ path: [`^${folder}/.*${FOR_TESTS}`, `^${folder}/src/testing/`] }, forTests),
  ];
}

/** Where a package is found: in its folder if it is one of ours. */
function placeOf(name) {
  const ours = PACKAGES.find(({ manifest }) => manifest.name === name);
  return ours ? `^${ours.folder}/` : `node_modules/(@types/)?${name}/`;
}

const config = {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules/' },
    exclude: {
      path: [
        '^(libs|services)/[^/]+/dist/',
        '^(deploy/demo|e2e|bench)/dist/',
        '^deploy/demo/versions/',
      ],
    },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['floy:src', 'import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
};
export default config;

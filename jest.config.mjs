/** One configuration for every package: sources are tested directly, by the `floy:src` export condition. */
const base = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['floy:src', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  modulePathIgnorePatterns: ['/dist/'],
  globalSetup: '<rootDir>/libs/testing/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/libs/testing/jest/global-teardown.mjs',
  // Real servers take longer to start than a pure function to run.
  testTimeout: 30_000,
  workerIdleMemoryLimit: '1GB',
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
};
const faults = process.env['FLOY_TEST_FAULTS'] === '1';
export default {
  ...base,
  testMatch: faults ? ['<rootDir>/e2e/**/*.faults.test.ts'] : ['<rootDir>/**/*.test.ts'],
  testPathIgnorePatterns: faults
    ? base.testPathIgnorePatterns
    : [...base.testPathIgnorePatterns, '\\.faults\\.test\\.ts$'],
};

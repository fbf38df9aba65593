// Runs the tests and says at the end what ran, on what, and what was left out.
//   node scripts/test.mjs [--faults] [arguments for Jest…]
// FLOY_TEST_REQUIRE_ALL=1 fails instead of leaving anything out.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'floy-report-'));
const results = join(scratch, 'results.json');
const report = join(scratch, 'report.jsonl');

const words = process.argv.slice(2).filter((word) => word !== '--faults');
const faults = process.argv.includes('--faults');
const { status } = spawnSync(
  process.execPath,
  [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    ...[join(root, 'node_modules/jest/bin/jest.js'), '--passWithNoTests'],
    // Tests wait for servers more than they compute.
    ...[`--maxWorkers=${Math.max(2, availableParallelism())}`],
    ...['--json', `--outputFile=${results}`, ...words],
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FLOY_TEST_REPORT: report,
      ...(faults && { FLOY_TEST_FAULTS: '1' }),
    },
  },
);

const outcome = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined;
const kinds = existsSync(report)
  ? [...new Set(readFileSync(report, 'utf8').split('\n'))]
      .filter(Boolean)
      .map((it) => JSON.parse(it))
  : [];
rmSync(scratch, { recursive: true, force: true });

const passed = outcome?.numPassedTests ?? 0;
// A file that could not even be loaded counts as one failure.
const failed = outcome ? outcome.numFailedTests + outcome.numRuntimeErrorTestSuites : 1;
const skipped = outcome ? outcome.numPendingTests + outcome.numTodoTests : 0;
const leftOut = kinds.filter(({ leftOut }) => leftOut);

console.log('');
for (const { kind, source } of kinds) if (source) console.log(`Tests of ${kind} ran on ${source}`);
for (const { kind, leftOut: reason, enable } of leftOut) {
  console.log(`Tests of ${kind} were left out: ${reason}. To enable them: ${enable}`);
}
if (leftOut.length === 0) console.log('Nothing was left out for want of something on this machine');

let ok = status === 0 && failed === 0;
if (process.env.FLOY_TEST_REQUIRE_ALL === '1' && (leftOut.length > 0 || skipped > 0)) {
  for (const file of outcome?.testResults ?? []) {
    for (const { status: state, fullName } of file.assertionResults) {
      if (state === 'pending' || state === 'todo') console.log(`Skipped: ${fullName}`);
    }
  }
  console.log('FLOY_TEST_REQUIRE_ALL=1: nothing may be left out or skipped');
  ok = false;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = ok ? 0 : 1;

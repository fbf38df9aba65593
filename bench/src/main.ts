import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchReport } from './bench.js';
import { benchDispatch } from './dispatch/dispatch.js';
import { asJsonLines, asTable } from './figure.js';
import { benchFootprint } from './footprint/footprint.js';

const benches: Readonly<Record<string, Bench>> = {
  dispatch: benchDispatch,
  footprint: benchFootprint,
};
const names = Object.keys(benches);
const usage = `npm run bench -- ${names.join('|')} [--json] [--runs N] [--node OPTION]…`;

/** Runs a bench and leaves nothing behind: no process, no file. */
async function run(
  bench: Bench,
  runs: number,
  nodeOptions: readonly string[],
): Promise<BenchReport> {
  const folder = await mkdtemp(join(tmpdir(), 'floy-bench-'));
  // The servers may run as another user, who has to get to their folders.
  await chmod(folder, 0o755);
  const closers: (() => Promise<unknown>)[] = [];
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> =>
    (ending ??= (async () => {
      for (const close of closers.toReversed()) await close().catch(report);
      await rm(folder, { recursive: true, force: true });
    })());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void end().finally(() => process.exit(1)));
  }
  try {
    return await bench({
      ...{ folder, runs, nodeOptions },
      onEnd: (close) => void closers.push(close),
      say: report,
    });
  } finally {
    await end();
  }
}

function report(line: unknown): void {
  console.error(line instanceof Error ? line.message : line);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '150' },
    node: { type: 'string', multiple: true, default: [] },
  },
});
const bench = benches[positionals[0] ?? ''];
const runs = Number(values.runs);
if (bench === undefined || positionals.length !== 1 || !(runs >= 1 && runs <= 10_000)) {
  report(usage);
  process.exit(2);
}
const { figures, notes } = await run(bench, Math.round(runs), values.node);
if (values.json) console.log(asJsonLines(figures));
else console.log(['', asTable(figures), '', ...notes, ''].join('\n'));
process.exit(0);

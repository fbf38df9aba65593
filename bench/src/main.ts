import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchReport, BenchRun } from './bench.js';
import { benchDispatch } from './dispatch/dispatch.js';
import { asJsonLines, asTable } from './figure.js';
import { benchFootprint } from './footprint/footprint.js';
import { benchSshFirst } from './ssh-first/ssh-first.js';

const benches: Readonly<Record<string, Bench>> = {
  dispatch: benchDispatch,
  footprint: benchFootprint,
  'ssh-first': benchSshFirst,
};
const names = Object.keys(benches);
const usage = `npm run bench -- ${names.join('|')} [--json] [--runs N] [--hosts N] [--node OPTION]…`;

/** Runs a bench and leaves nothing behind: no process, no file. */
async function run(
  bench: Bench,
  options: Pick<BenchRun, 'runs' | 'hosts' | 'nodeOptions'>,
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
      ...{ folder, ...options },
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
    runs: { type: 'string' },
    hosts: { type: 'string', default: '200' },
    node: { type: 'string', multiple: true, default: [] },
  },
});
const name = positionals[0] ?? '';
const bench = benches[name];
const runs = Math.round(Number(values.runs ?? (name === 'ssh-first' ? 1 : 150)));
const hosts = Math.round(Number(values.hosts));
const possible = runs >= 1 && runs <= 10_000 && hosts >= 1 && hosts <= 1000;
if (bench === undefined || positionals.length !== 1 || !possible) {
  report(usage);
  process.exit(2);
}
const { figures, notes } = await run(bench, { runs, hosts, nodeOptions: values.node });
if (values.json) console.log(asJsonLines(figures));
else console.log(['', asTable(figures), '', ...notes, ''].join('\n'));
process.exit(0);

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What this run of the tests shares: made by Jest's global setup, removed by its teardown. */
export function runFolder(): string {
  const folder = process.env['FLOY_TEST_RUN'];
  if (folder) return folder;
  throw new Error('FLOY_TEST_RUN is not set: these helpers work below Jest’s global setup');
}

/** One line for the report at the end of the run. */
export type ReportLine =
  | { readonly kind: string; readonly source: string }
  | { readonly kind: string; readonly leftOut: string; readonly enable: string };

/** Adds to the report at the end of the run; the same line may be added by every test file. */
export async function report(line: ReportLine): Promise<void> {
  await appendFile(join(runFolder(), 'report.jsonl'), `${JSON.stringify(line)}\n`);
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeRunFolder } from './run-folder.mjs';

export default async function globalTeardown() {
  const folder = process.env.FLOY_TEST_RUN;
  if (!folder) return;
  const text = await readFile(join(folder, 'report.jsonl'), 'utf8').catch(() => '');
  for (const line of new Set(text.split('\n').filter(Boolean))) {
    const { kind, source, leftOut, enable } = JSON.parse(line);
    process.stdout.write(
      source
        ? `Tests of ${kind} ran on ${source}\n`
        : `Tests of ${kind} were left out: ${leftOut}; to enable them, ${enable}\n`,
    );
  }
  await removeRunFolder(folder);
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeRunFolder } from './run-folder.mjs';

export default async function globalTeardown() {
  const folder = process.env.FLOY_TEST_RUN;
  if (!folder) return;
  const text = await readFile(join(folder, 'report.jsonl'), 'utf8').catch(() => '');
  if (process.env.FLOY_TEST_REPORT) await writeFile(process.env.FLOY_TEST_REPORT, text);
  else for (const line of new Set(text.split('\n'))) process.stdout.write(sentence(line));
  await removeRunFolder(folder);
}

function sentence(line) {
  if (line === '') return '';
  const { kind, source, leftOut, enable } = JSON.parse(line);
  if (source) return `Tests of ${kind} ran on ${source}\n`;
  return `Tests of ${kind} were left out: ${leftOut}. To enable them: ${enable}\n`;
}

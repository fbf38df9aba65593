// node build.mjs VERSION COMMIT: puts into dist/ what runs on a host, stamped with what it is.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';

const [version, commit] = process.argv.slice(2);
const files = ['src/main.mjs', 'src/service.mjs', 'src/greeting.mjs', 'service.sh'];

mkdirSync('dist', { recursive: true });
for (const file of files) copyFileSync(file, `dist/${file.replace('src/', '')}`);
writeFileSync('dist/version.json', `${JSON.stringify({ version, commit })}\n`);
process.stdout.write(`Built greeter ${version} (${commit}): ${files.length + 1} files\n`);

// Builds every package with one `tsc -b`, which rebuilds only what changed.
// Where tsc looks away, this looks: outputs whose source is gone are removed (or a deleted module
// would still be found), and a package that lost outputs is built anew.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export function build() {
  const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  for (const { path } of references) tidy(join(root, path));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-b', root], { stdio: 'inherit' });
  for (const { path } of references) copyPrograms(join(root, path));
  return status ?? 1;
}

/** Small programs in plain JavaScript that are started by their path stand beside what starts them. */
function copyPrograms(folder) {
  for (const file of filesIn(join(folder, 'src'))) {
    if (!file.endsWith('.mjs') || file.endsWith('.fixture.mjs')) continue;
    const target = join(folder, 'dist', file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(folder, 'src', file), target);
  }
}

function tidy(folder) {
  const dist = join(folder, 'dist');
  if (!existsSync(dist)) return;
  const sources = new Set(
    filesIn(join(folder, 'src'))
      .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$|\.d\.ts$/.test(file))
      .map((file) => file.replace(/\.tsx?$/, '')),
  );
  const outputs = filesIn(dist).filter((file) => /\.(js|d\.ts)(\.map)?$/.test(file));
  const built = new Set();
  for (const file of outputs) {
    const source = file.replace(/\.(js|d\.ts)(\.map)?$/, '');
    if (!sources.has(source)) rmSync(join(dist, file));
    else if (file.endsWith('.js')) built.add(source);
  }
  if (built.size < sources.size) rmSync(join(dist, '.tsbuildinfo'), { force: true });
}

function filesIn(folder, below = '') {
  if (!existsSync(folder)) return [];
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(folder, path);
    return [path];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = build();

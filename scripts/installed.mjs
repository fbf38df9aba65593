// Compares what stands in node_modules with what package-lock.json names. npm writes what it
// installed into node_modules/.package-lock.json, whichever of its commands did it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where node_modules below `root` differs from the lock file, as paths of packages: not installed,
 * at another version, or not named by it. Empty after `npm ci` and `npm install`. A package for
 * another platform is not expected.
 */
export function differences(root) {
  const locked = packagesIn(join(root, 'package-lock.json'));
  const installed = packagesIn(join(root, 'node_modules/.package-lock.json'));
  const lacking = Object.keys(locked).filter((path) => {
    if (!path.includes('node_modules/') || isSame(locked[path], installed[path])) return false;
    return installed[path] !== undefined || isExpected(locked[path]);
  });
  return [...lacking, ...Object.keys(installed).filter((path) => !(path in locked))];
}

function packagesIn(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

function isSame(locked, installed) {
  if (locked.link) return installed?.resolved === locked.resolved;
  return installed?.version === locked.version && installed.integrity === locked.integrity;
}

/** An optional package may be left out unless it says that it is made for this platform. */
function isExpected({ optional, os, cpu, libc }) {
  if (!optional) return true;
  if (!os || !cpu) return false;
  return os.includes(process.platform) && cpu.includes(process.arch) && (!libc || hasLibc(libc));
}

function hasLibc(names) {
  if (process.platform !== 'linux') return false;
  process.report.excludeNetwork = true;
  const { glibcVersionRuntime } = process.report.getReport().header;
  return names.includes(glibcVersionRuntime ? 'glibc' : 'musl');
}

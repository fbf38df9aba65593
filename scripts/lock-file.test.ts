import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { satisfies } from 'semver';

interface Wishes {
  name?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
interface LockedPackage extends Wishes {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
}
type Locked = Record<string, LockedPackage>;

/** The place that Node would find `name` in, seen from the package at `from`. */
function found(locked: Locked, from: string, name: string): LockedPackage | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const it = locked[`${at === '' ? '' : `${at}/`}node_modules/${name}`];
    if (it || at === '') return it;
  }
}

function wishesOf({
  dependencies = {},
  devDependencies = {},
  optionalDependencies = {},
}: Wishes = {}): Wishes {
  return { dependencies, devDependencies, optionalDependencies };
}

/** What a lock file lacks of the optional packages that its packages name. */
function lacking(locked: Locked): string[] {
  return Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies).flatMap(([name, range]) => {
      const version = found(locked, path, name)?.version;
      if (version !== undefined && satisfies(version, range)) return [];
      return [`${path} wants ${name} ${range}, locked is ${version ?? 'none'}`];
    }),
  );
}

describe('package-lock.json', () => {
  const file = new URL('../package-lock.json', import.meta.url);
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Locked };
  const ofRegistry = Object.entries(packages).filter(
    ([path, { link }]) => path.includes('node_modules/') && !link,
  );

  // `npm ci` refuses a lock that lacks the packages of any platform. npm itself writes such a lock
  // where the registry does not have all of them yet: pin the newest version that is complete.
  it('names the optional packages of every platform', () => {
    expect(lacking(packages)).toEqual([]);
  });

  // A package of ours that the lock lacks is not linked by `npm ci`, which then refuses the lock.
  it('says of our own packages what their package.json does', () => {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*package.json'], {
      cwd: root,
      encoding: 'utf8',
    });
    const folders = listed
      .split('\n')
      .filter((path) =>
        /^((libs|services)\/[^/]+|deploy\/demo|e2e|bench)\/package.json$/.test(path),
      )
      .filter((path) => existsSync(`${root}/${path}`))
      .map((path) => path.replace('/package.json', ''));
    expect(folders.length).toBeGreaterThan(15);
    for (const folder of ['', ...folders]) {
      const manifest = JSON.parse(readFileSync(`${root}/${folder}/package.json`, 'utf8')) as Wishes;
      expect({ folder, ...wishesOf(packages[folder]) }).toEqual({ folder, ...wishesOf(manifest) });
      if (folder) expect(packages[`node_modules/${manifest.name}`]?.resolved).toBe(folder);
    }
  });

  it('has the hash of every package, and no address of a registry', () => {
    for (const [path, { version, integrity, resolved }] of ofRegistry) {
      expect({ path, version, integrity, resolved }).toEqual({
        path,
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        integrity: expect.stringMatching(/^sha512-/),
        resolved: undefined,
      });
    }
  });
});

describe('the search for what a lock lacks', () => {
  const two: Locked = {
    'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-mac': '^1.2.0' } },
    'node_modules/a-linux': { version: '1.0.0' },
  };

  it('names a package that is not locked', () => {
    expect(lacking(two)).toEqual(['node_modules/a wants a-mac ^1.2.0, locked is none']);
  });

  it('names one that is locked at a version that does not do', () => {
    expect(lacking({ ...two, 'node_modules/a-mac': { version: '1.1.9' } })).toEqual([
      'node_modules/a wants a-mac ^1.2.0, locked is 1.1.9',
    ]);
  });

  it('takes the nearest, like Node', () => {
    const nested = { 'node_modules/a/node_modules/a-mac': { version: '1.3.0' } };
    const far = { 'node_modules/a-mac': { version: '2.0.0' } };
    expect(lacking({ ...two, ...far, ...nested })).toEqual([]);
  });
});

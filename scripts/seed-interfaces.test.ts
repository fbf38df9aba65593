import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const words = ['ls-files', '-co', '--exclude-standard', 'libs/*.ts', 'services/*.ts'];
const paths = execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim().split('\n');
const isTest = (path: string): boolean => path.endsWith('.test.ts');
const isForTests = (path: string): boolean => /\.(test|fixture)\.ts$|\/testing\//.test(path);
const textOf = (which: (path: string) => boolean): string =>
  paths.filter(which).map(read).join('\n');
const tests = textOf(isTest);
const sources = textOf((path) => !isForTests(path));

/**
 * The modules that gateway and handlers call, and how sources name one and tests do: other things
 * have a `deploy` or a `cancelDeployment`, too.
 */
const MODULES = {
  WorkflowManager: { sources: 'manager|workflows|workflowManager', tests: 'workflows' },
  TaskScheduler: {
    sources: String.raw`scheduler|taskScheduler\(tx\)`,
    tests: String.raw`scheduler|taskScheduler\(tx\)`,
  },
  DeploymentManager: { sources: 'manager|deploymentManager', tests: 'deployments' },
  Deployer: { sources: String.raw`deployer|createDeployer\(.*\)`, tests: 'deployer' },
  PhysicalDeployer: { sources: 'deployer', tests: 'own' },
};

/** The methods of an interface of libs/contracts. */
function methodsOf(name: string): string[] {
  const text = read('libs/contracts/src/interfaces.ts');
  const body = new RegExp(`^export interface ${name} .*?^}`, 'ms').exec(text)?.[0] ?? '';
  return [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, method = '']) => method);
}

describe.each(Object.entries(MODULES))('%s', (name, holders) => {
  const methods = methodsOf(name);
  const uncalled = (holder: string, text: string): string[] =>
    methods.filter((method) => !new RegExp(String.raw`\b(?:${holder})\.${method}\(`).test(text));

  it('has methods', () => expect(methods.length).toBeGreaterThanOrEqual(4));

  it('has a test for each of its methods', () => {
    expect(uncalled(holders.tests, tests)).toEqual([]);
  });

  it('has no method that nothing calls', () => {
    expect(uncalled(holders.sources, sources)).toEqual([]);
  });
});

describe('the handlers', () => {
  const handlers = paths.filter((path) => path.includes('/src/handlers/') && !isForTests(path));

  it.each(handlers)('%s has a test beside it and is composed', (path) => {
    const service = path.slice(0, path.indexOf('/handlers/'));
    const factory = /^export function (\w+Handler)\(/m.exec(read(path))?.[1];
    expect(factory).toBeDefined();
    const test = path.replace(/\.ts$/, '.test.ts');
    expect(paths).toContain(test);
    const named = (text: string, by: string): boolean => text.includes(by);
    expect(named(read(test), `'${basename(path, '.ts')}'`)).toBe(true);
    expect(named(read(`${service}/compose.ts`), `${factory}(`)).toBe(true);
  });

  it('are one for each kind of message', () => {
    const kinds = [
      ...read('libs/contracts/src/messages.ts').matchAll(/^ {2}'([\w-]+)': \{ queue/gm),
    ];
    expect(handlers.map((path) => basename(path, '.ts')).toSorted()).toEqual(
      kinds.map(([, kind]) => kind).toSorted(),
    );
  });
});

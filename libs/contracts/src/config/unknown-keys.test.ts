import { megabyteOf, processMs } from '@floy/testing/worst-text';
import { expect, it } from '@jest/globals';
import { applicationConfigProblems, environmentConfigProblems } from './check-config.js';
import { configKeys } from './config-keys.js';
import { keyMeantBy, unknownKeys } from './unknown-keys.js';

it.each([
  ['host', 'hosts'],
  ['hsots', 'hosts'],
  ['envs', 'env'],
  ['batchsize', 'batch_size'],
  ['bacth_sise', 'batch_size'],
  ['deployPath', 'deploy_path'],
  ['DEPLOY-PATH', 'deploy_path'],
  ['helth_chek_url', 'health_check_url'],
  ['restart_comand', 'restart_command'],
])('a config key misspelt as %s is named with the one that is meant', (sent, meant) => {
  expect(keyMeantBy(sent)).toBe(meant);
});

it.each(['region', 'ost', 'prots', 'owner', 'batch', 'deploy_pth_x2', '', 'x'.repeat(1000)])(
  'a config key %j of the user’s own is no misspelt one',
  (sent) => {
    expect(keyMeantBy(sent)).toBeUndefined();
  },
);

it('no known key is taken for another, and each is found without a letter', () => {
  for (const name of Object.keys(configKeys)) {
    expect(unknownKeys({ [name]: 1 })).toEqual([]);
    const lacking = name.slice(0, -1);
    if (unknownKeys({ [lacking]: 1 }).length > 0) expect(keyMeantBy(lacking)).toBeDefined();
  }
});

it('as many keys as fit into a request do not stop the process', () => {
  const names = Array.from({ length: 100_000 }, (_, at) => `batch_si${at.toString(36)}`);
  const began = processMs();
  applicationConfigProblems(Object.fromEntries(names.map((name) => [name, 1])));
  environmentConfigProblems('physical', { [megabyteOf('a')]: 1, [megabyteOf('hosts')]: 1 });
  expect(processMs() - began).toBeLessThan(5000);
});

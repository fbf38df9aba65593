import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { resolvePhysicalSettings } from '../deployers/physical/settings.js';
import {
  applicationConfigProblems,
  environmentConfigProblems,
  readKey,
  readKeyFor,
} from './check-config.js';
import { configKeys, type ConfigKey } from './config-keys.js';

const hosts = { hosts: ['h'], ssh_key: 'k', deploy_path: '/opt/a' };
const problems = (config: object) => environmentConfigProblems('physical', { ...hosts, ...config });

describe('the table of config keys', () => {
  it.each(Object.entries<ConfigKey>(configKeys))(
    '%s has a default that it would take',
    (...row) => {
      const [name, key] = row;
      for (const value of [key.default, ...Object.values(key.defaults ?? {})]) {
        if (value === undefined) continue;
        const refused: string[] = [];
        const read = key.kind.read(value, name, (path, reason) => refused.push(path + reason));
        expect(refused).toEqual([]);
        expect(read).toEqual(value);
        expect(new Ajv2020({ strict: false }).validate(key.kind.schema, value)).toBe(true);
      }
    },
  );

  it('a service on hosts has to stay healthy for two seconds unless told, on a cluster for none', () => {
    expect(resolvePhysicalSettings(hosts, {}).minHealthySeconds).toBe(2);
    expect(resolvePhysicalSettings(hosts, { min_healthy_seconds: 0 }).minHealthySeconds).toBe(0);
    expect(readKeyFor('kubernetes', 'min_healthy_seconds', {})).toBe(0);
  });

  it('keeps what it does not know, and takes numbers and booleans as text', () => {
    const config = { region: ['x'], timeout: '600', approval: 'true', max_failures: '10%' };
    expect(problems(config)).toEqual({});
    expect(readKey('timeout', config)).toBe(600);
    expect(readKey('approval', config)).toBe(true);
    expect(readKey('keep_releases', config)).toBe(5);
  });

  it('names the key that is wrong and says why', () => {
    const wrong = {
      hosts: [{ host: 'a', port: 70000 }, '-oProxyCommand=x', { host: 'b', color: 1 }, 7],
      deploy_path: '/opt/../etc',
      restart_command: 'restart {{servce}}',
      batch_size: '0%,x',
      max_failures: -1,
      timeout: 'soon',
      approval: 'maybe',
      deployment_strategy: 'yolo',
      shared_paths: ['../up'],
      env: { 'A-B': 'x', FLOY_X: 'y' },
      health_check_url: 'file:///etc/passwd',
      pre_switch_command: { command: 'x', runs: 1 },
    };
    expect(Object.keys(problems(wrong)).sort()).toEqual(
      [
        'config.hosts[0].port',
        'config.hosts[1]',
        'config.hosts[2].color',
        'config.hosts[3]',
        'config.deploy_path',
        'config.restart_command',
        'config.batch_size',
        'config.max_failures',
        'config.timeout',
        'config.approval',
        'config.deployment_strategy',
        'config.shared_paths[0]',
        'config.env.A-B',
        'config.env.FLOY_X',
        'config.health_check_url',
        'config.pre_switch_command.runs',
      ].sort(),
    );
  });

  it('names required keys, and instance ids that are not unique', () => {
    expect(Object.keys(environmentConfigProblems('physical', {}))).toEqual([
      'config.hosts',
      'config.ssh_key',
      'config.deploy_path',
    ]);
    expect(Object.keys(environmentConfigProblems('kubernetes', {}))).toEqual(['config.kubeconfig']);
    const twice = [
      { host: 'a', instance_id: 'i' },
      { host: 'b', instance_id: 'i' },
    ];
    expect(Object.keys(problems({ hosts: twice }))).toEqual(['config.hosts[1].instance_id']);
    const named = (instance_id: string) => problems({ hosts: [{ host: 'a', instance_id }] });
    expect(named('{{service}}-{{environment}}-{{host}}')).toEqual({});
    for (const wrong of ['{{version}}', '{{instance_id}}', '{{host}}/x', 'a b', '{{x}}'])
      expect(Object.keys(named(wrong))).toEqual(['config.hosts[0].instance_id']);
    expect(Object.keys(problems({ hosts: [] }))).toEqual(['config.hosts']);
  });

  it.each([
    [['data', 'data/x'], '"data" and "data/x" lie one inside of the other'],
    [['a/b/c', 'logs', 'a/b'], '"a/b/c" and "a/b" lie one inside of the other'],
    [['data', 'data/'], '"data" and "data/" are the same'],
    ['data,x,data', '"data" and "data" are the same'],
    [['releases/x'], '"releases/x" has a name of Floy\'s own'],
    [['a/.floy-env'], "has a name of Floy's own"],
    [Array.from({ length: 101 }, (_, n) => `p${n}`), 'must not be more than 100'],
  ])('refuses shared paths that would delete data: %j', (paths, reason) => {
    const found = problems({ shared_paths: paths });
    expect(Object.keys(found)).toEqual(['config.shared_paths']);
    expect(Object.values(found)[0]).toContain(reason);
  });

  it.each(['.', './a', 'a/.', 'a//b', '../a', 'a/../b', '/a', '/', 'a/.floy', 'a/.floy/x'])(
    'refuses %j as a shared path, as it stays not plainly inside of the release',
    (path) => {
      const found = Object.keys(problems({ shared_paths: [path, 'fine'] }));
      expect(found).toEqual(['config.shared_paths[0]']);
    },
  );

  it('takes paths that only begin alike, and ends with a megabyte of slashes at once', () => {
    expect(problems({ shared_paths: ['data', 'data2', 'data-x/a', 'data-x/b', 'z/data'] })).toEqual(
      {},
    );
    const slashes = `a${'/'.repeat(1_000_000)}b`;
    expect(Object.keys(problems({ shared_paths: [slashes] }))).toEqual(['config.shared_paths[0]']);
  });

  it('keeps connection keys out of applications', () => {
    expect(applicationConfigProblems({ hosts: ['a'], namespace: 'x', timeout: 5 })).toEqual({
      'config.hosts': 'only an environment has it',
      'config.namespace': 'only an environment has it',
    });
  });
});

import { describe, expect, it } from '@jest/globals';
import { keepRedacted, redactSecrets, splitSecrets } from '../../config/config-secrets.js';
import { resolvePhysicalConnection } from './connection.js';
import { instanceIdOf } from './instance-id.js';
import { overlayConfig } from '../../config/overlay-config.js';
import { fillHostSettings, resolvePhysicalSettings } from './settings.js';

const environment = {
  hosts: ['10.0.0.1', 'deploy@10.0.0.2:2222', '[::1]:22', { host: 'c', instance_id: 'c1' }],
  ssh_key: 'k',
  ssh_port: '2022',
  deploy_path: '/srv/{{application}}/',
  env: { A: '1', B: '{{version}}' },
  secrets: { TOKEN: 'from environment' },
  timeout: 100,
};

describe('settings', () => {
  it('overlay the environment by the application, connection keys aside', () => {
    const application = { timeout: '50', env: { A: '2' }, secrets: { KEY: 'x' }, hosts: ['evil'] };
    const overlaid = overlayConfig(environment, application);
    expect(overlaid).toMatchObject({
      hosts: environment.hosts,
      timeout: '50',
      env: { A: '2', B: '{{version}}' },
      secrets: { TOKEN: 'from environment', KEY: 'x' },
    });
    const settings = resolvePhysicalSettings(environment, application);
    expect(settings).toMatchObject({ timeoutSeconds: 50, batchSize: '25%', retryCount: 3 });
    const values = { application: 'api', version: 'v1', host: 'h' };
    expect(fillHostSettings(settings, values)).toMatchObject({
      serviceName: 'api',
      deployPath: '/srv/api',
      restartCommand: 'systemctl restart api',
      environment: { A: '2', B: 'v1', TOKEN: 'from environment', KEY: 'x' },
      secretValues: ['from environment', 'x'],
    });
  });

  it('refuse a path that its values lead elsewhere', () => {
    const settings = resolvePhysicalSettings({ deploy_path: '/{{application}}' }, {});
    expect(() => fillHostSettings(settings, { application: '..' })).toThrow('deploy_path');
    expect(() => resolvePhysicalSettings({}, {})).toThrow('config.deploy_path is required');
  });

  it('say how each host is reached', () => {
    const { hosts } = resolvePhysicalConnection(environment);
    expect(hosts.map(({ user, host, port }) => `${user}@${host}:${port}`)).toEqual([
      'root@10.0.0.1:2022',
      'deploy@10.0.0.2:2222',
      'root@::1:22',
      'root@c:2022',
    ]);
    const names = { service: 'api', environment: 'staging', application: 'api' };
    expect(hosts.map((host) => instanceIdOf(names, host)).slice(2)).toEqual([
      'api-staging-::1-22',
      'c1',
    ]);
  });
});

describe('secrets of a config', () => {
  const config = { ssh_key: 'k', secrets: { A: '1', B: '2' }, timeout: 5 };
  it('are parted and shown by name alone', () => {
    expect(splitSecrets(config).open).toEqual({ timeout: 5 });
    expect(redactSecrets(config)).toEqual({
      ssh_key: '<redacted>',
      secrets: { A: '<redacted>', B: '<redacted>' },
      timeout: 5,
    });
  });
  it('are kept where <redacted> is sent back', () => {
    const sent = { ssh_key: '<redacted>', secrets: { A: '<redacted>', C: '3' } };
    expect(keepRedacted(sent, config)).toEqual({ ssh_key: 'k', secrets: { A: '1', C: '3' } });
    expect(() => keepRedacted({ git_token: '<redacted>' }, config)).toThrow('config.git_token');
    expect(() => keepRedacted({ secrets: { Z: '<redacted>' } }, config)).toThrow('secrets.Z');
  });
});

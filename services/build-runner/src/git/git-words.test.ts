import { describe, expect, it } from '@jest/globals';
import * as words from './git-words.js';

const repository = { url: 'https://example.com/a/b', transport: 'https' } as const;

describe('git command lines', () => {
  it.each([
    [
      words.fetchWords(repository, ['abc123'], 1),
      'git fetch --quiet --no-tags --no-auto-maintenance --no-recurse-submodules --force --depth=1 ' +
        '--end-of-options https://example.com/a/b abc123',
    ],
    [
      words.fetchWords(repository, words.ALL_REFS),
      'git fetch --quiet --no-tags --no-auto-maintenance --no-recurse-submodules --force ' +
        '--end-of-options https://example.com/a/b ' +
        '+refs/heads/*:refs/remotes/origin/* +refs/tags/*:refs/tags/*',
    ],
    [
      words.checkOutWords('abc123'),
      'git checkout --quiet --force --detach --no-recurse-submodules abc123 --',
    ],
    [words.initWords('/w'), 'git init --quiet --template= --initial-branch=floy -- /w'],
  ])('%#', (line, expected) => {
    expect(line.join(' ')).toBe(expected);
  });

  it('answer for one transport, without prompts, the machine`s settings or the user`s', () => {
    expect(words.gitEnvironment('/s', 'ssh')).toEqual({
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/s',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ALLOW_PROTOCOL: 'ssh',
      GIT_LFS_SKIP_SMUDGE: '1',
    });
  });

  it('offer a token to its own host alone', () => {
    const env = words.tokenEnvironment({ ...repository, user: 'bot' }, 'token');
    expect(env['GIT_CONFIG_KEY_0']).toBe('credential.https://example.com.helper');
    expect(env['GIT_CONFIG_VALUE_0']).not.toContain('token"');
    expect(env).toMatchObject({ FLOY_GIT_USER: 'bot', FLOY_GIT_TOKEN: 'token' });
  });

  it('call ssh with nothing of anybody`s settings', () => {
    expect(words.sshCommand('/known hosts', '/k')).toBe(
      `ssh -F /dev/null -o 'IdentityFile="/k"' -o 'IdentitiesOnly=yes' -o 'IdentityAgent=none' ` +
        `-o 'BatchMode=yes' -o 'StrictHostKeyChecking=accept-new' ` +
        `-o 'UserKnownHostsFile="/known hosts"' -o 'GlobalKnownHostsFile=/dev/null' ` +
        `-o 'UpdateHostKeys=no' -o 'ConnectTimeout=15' -o 'ServerAliveInterval=15' ` +
        `-o 'ServerAliveCountMax=3'`,
    );
  });
});

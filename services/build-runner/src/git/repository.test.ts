import { VerdictError } from '@floy/domain';
import { describe, expect, it } from '@jest/globals';
import { isTagName, parseCommit, parseRepository } from './repository.js';

describe('a repository', () => {
  it.each([
    ['https://github.com/org/repo', 'https', 'https://github.com/org/repo'],
    ['https://github.com:8443/org/repo.git', 'https', 'https://github.com:8443/org/repo.git'],
    ['ssh://git@example.com:2222/org/repo', 'ssh', 'ssh://git@example.com:2222/org/repo'],
    ['git+ssh://git@example.com/org/repo', 'ssh', 'ssh://git@example.com/org/repo'],
    ['git@github.com:org/repo.git', 'ssh', 'git@github.com:org/repo.git'],
    ['example.com:~me/repo', 'ssh', 'example.com:~me/repo'],
    ['file:///srv/git/repo', 'file', 'file:///srv/git/repo'],
    ['/srv/git/repo', 'file', '/srv/git/repo'],
  ])('%s', (text, transport, url) => {
    expect(parseRepository(text)).toEqual({ url, transport });
  });

  it('gives the user of an https address apart', () => {
    expect(parseRepository('https://oauth2@gitlab.com/a/b')).toEqual({
      url: 'https://gitlab.com/a/b',
      transport: 'https',
      user: 'oauth2',
    });
  });

  it.each([
    ['', /no address/],
    ['repo', /no address/],
    ['../repo', /no address/],
    ['--upload-pack=touch /tmp/x', /spaces/],
    ['--upload-pack=evil', /no address/],
    ['-oProxyCommand=evil:repo', /no address/],
    ['ext::sh -c evil', /spaces/],
    ['ext::evil', /no address/],
    ['fd::17', /no address/],
    ['http://example.com/repo', /only https, ssh and files/],
    ['git://example.com/repo', /only https, ssh and files/],
    ['ext://example.com/repo', /only https, ssh and files/],
    ['ssh://-oProxyCommand=evil/repo', /option|valid/],
    ['ssh://-l@example.com/repo', /option/],
    ['ssh://example.com/-repo', /option/],
    ['ssh://example.com/%2drepo', /option/],
    ['example.com:--evil', /option/],
    ['https://example.com/repo\nx', /control/],
    ['https:///', /valid|no host/],
    ['file://host/repo', /names a host/],
  ])('%j is refused', (text, why) => {
    expect(() => parseRepository(text)).toThrow(VerdictError);
    expect(() => parseRepository(text)).toThrow(why);
  });

  it('is refused with a password, which is not shown', () => {
    const tell = (text: string): string => {
      try {
        return parseRepository(text).url;
      } catch (error) {
        return String(error);
      }
    };
    for (const text of [
      'https://me:s3cret@host/repo',
      'ssh://me:s3cret@host/repo',
      'ftp://a:s3cret@h/',
    ]) {
      expect(tell(text)).toMatch(/VerdictError/);
      expect(tell(text)).not.toContain('s3cret');
    }
  });
});

describe('commits and tags', () => {
  it('are hex digits', () => {
    expect(parseCommit('ABCDEF12')).toBe('abcdef12');
    for (const text of ['', 'abc', 'main', '-abcd', 'abcd^', 'a'.repeat(65), 'HEAD', 'abcd\n']) {
      expect(() => parseCommit(text)).toThrow(VerdictError);
    }
  });

  it('are names git accepts', () => {
    for (const tag of ['v1.0.0', 'release/2024-01', '版本1', 'a-b_c+d'])
      expect(isTagName(tag)).toBe(true);
    const refused = ['', '-x', 'a b', 'a..b', 'a:b', 'a^', 'a~1', 'a?', 'a*', 'a[', 'a\\b', '/a'];
    for (const tag of [
      ...refused,
      'a/',
      'a//b',
      'a.',
      '.a',
      'a/.b',
      'a.lock',
      'a@{1',
      '@',
      'a\0',
    ]) {
      expect([tag, isTagName(tag)]).toEqual([tag, false]);
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { gitCommitProblem, gitTagProblem } from './git-names.js';
import { repositoryKey, repositoryProblem } from './repository-key.js';

describe('repositories', () => {
  it.each([
    'https://github.com/org/repo',
    'https://github.com/Org/Repo.git',
    'https://user@GitHub.com/org/repo/',
    'ssh://git@github.com:22/org/repo.git',
    'git@github.com:org/repo.git',
    'github.com:org/repo',
  ])('%s is one repository', (spelling) => {
    expect(repositoryProblem(spelling)).toBeUndefined();
    expect(repositoryKey(spelling)).toBe('github.com/org/repo');
  });
  it('keeps paths as they are written', () => {
    expect(repositoryKey('file:///srv/Repo.git')).toBe('/srv/Repo');
    expect(repositoryKey('/srv/Repo/')).toBe('/srv/Repo');
  });
  it.each([
    'repo',
    'ext::sh -c x',
    'ext::sh',
    '--upload-pack=x',
    'https://user:secret@github.com/o/r',
    'https://ghp_0123456789@github.com/o/r',
    'git://github.com/o/r',
    'https://github.com',
    'ssh://-oProxyCommand=x/y',
    '/a/../b',
    'git@host:-x',
    'https://a b/c',
  ])('%s is refused', (repository) => {
    expect(repositoryProblem(repository)).toEqual(expect.any(String));
  });
});

describe('tags and commits', () => {
  it.each(['v1.0.0', 'release/2024', 'v1.0.0-rc.1+b', '版本1', 'a$b', "it's"])(
    '%s is a tag',
    (tag) => {
      expect(gitTagProblem(tag)).toBeUndefined();
    },
  );
  it.each([
    '-x',
    'a b',
    'a..b',
    'a^',
    'a:b',
    '.a',
    'a.lock',
    'a/',
    '/a',
    'a//b',
    '@',
    'a@{b',
    'a\n',
  ])('%j is none', (tag) => expect(gitTagProblem(tag)).toEqual(expect.any(String)));
  it('knows commits', () => {
    expect(gitCommitProblem('abc123def456')).toBeUndefined();
    for (const wrong of ['HEAD', 'abc', '-abc', 'x'.repeat(40), 'a'.repeat(65)]) {
      expect(gitCommitProblem(wrong)).toEqual(expect.any(String));
    }
  });
});

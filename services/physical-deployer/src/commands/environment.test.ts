import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readLikeSystemd } from '../../testing/systemd-environment.js';
import { environmentText } from './environment.js';

/** What applications are given, and what has misled readers of such files. */
const AWKWARD = {
  PLAIN: 'plain',
  EMPTY: '',
  SPACES: '  in front and behind \t ',
  SINGLE: `'it''s' "quoted"'`,
  BACKSLASHES: String.raw`C:\new\\ \' \" \$HOME `,
  ENDING: '\\',
  DOLLARS: '$HOME ${HOME} $(id) `id`',
  COMMENTS: '# none ; none #',
  LINES: `-----BEGIN KEY-----\nab+/=\n# none\nINJECTED=1\n-----END KEY-----\n`,
  CONTINUED: 'one\\\ntwo\\',
  WINDOWS: 'one\r\ntwo\r',
  FOREIGN: `版"版\\版'`,
  EQUALS: 'a=b=c',
};
const shells = [['/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']].filter(([path]) =>
  existsSync(path ?? ''),
);

describe('the environment file', () => {
  it.each(shells)('is read by %s as it was meant', (shell, ...args) => {
    const script =
      'file=$(mktemp); cat >"$file"; set -a; . "$file"; set +a; rm -f "$file"; exec env -0';
    const read = execFileSync(shell ?? '', [...args, '-c', script], {
      input: environmentText(AWKWARD),
    });
    const lines = read.toString().split('\0');
    for (const [name, value] of Object.entries(AWKWARD)) {
      expect(lines).toContain(`${name}=${value}`);
    }
    expect(lines).not.toContain('INJECTED=1');
  });

  it.each([
    ['of today', false],
    ['before version 240', true],
  ])('is read by a systemd %s as it was meant', (_, escapesInSingleQuotes) => {
    const seen = readLikeSystemd(environmentText(AWKWARD), { escapesInSingleQuotes });
    expect(seen).toEqual(AWKWARD);
  });

  it('is refused for what is no name of a variable', () => {
    for (const name of ['A;id', '', '1A', 'A B', 'A\nB', 'export A', 'É']) {
      expect(() => environmentText({ [name]: '1' })).toThrow(JSON.stringify(name));
    }
  });
});

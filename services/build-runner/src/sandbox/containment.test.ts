import { describe, expect, it } from '@jest/globals';
import { containedWords, shortcomingOf } from './containment.js';

const user = { name: 'nobody', uid: 65534, gid: 65533 };

describe('contained words', () => {
  it.each([
    [
      { kind: 'pid-namespace', ownProc: true } as const,
      user,
      'setpriv --pdeathsig KILL unshare --pid --fork --kill-child=KILL --mount-proc ' +
        'setpriv --pdeathsig KILL --reuid 65534 --regid 65533 --clear-groups --no-new-privs',
    ],
    [
      { kind: 'pid-namespace', ownProc: false } as const,
      undefined,
      'setpriv --pdeathsig KILL unshare --pid --fork --kill-child=KILL setpriv --pdeathsig KILL',
    ],
    [
      { kind: 'user-namespace', ownProc: true } as const,
      undefined,
      'setpriv --pdeathsig KILL unshare --user --map-current-user --pid --fork --kill-child=KILL ' +
        '--mount-proc setpriv --pdeathsig KILL',
    ],
    [
      { kind: 'user-namespace', ownProc: true } as const,
      user,
      'setpriv --reuid 65534 --regid 65533 --clear-groups --no-new-privs ' +
        'setpriv --pdeathsig KILL unshare --user --map-current-user --pid --fork --kill-child=KILL ' +
        '--mount-proc setpriv --pdeathsig KILL',
    ],
    [{ kind: 'supervisor', ownProc: false } as const, user, ''],
  ])('%j as %j', (containment, who, expected) => {
    expect(containedWords(containment, who).join(' ')).toBe(expected);
  });

  it('says what is missing, and nothing when nothing is', () => {
    expect(shortcomingOf({ kind: 'pid-namespace', ownProc: true })).toBeUndefined();
    expect(shortcomingOf({ kind: 'user-namespace', ownProc: false })).toContain('/proc');
    expect(shortcomingOf({ kind: 'supervisor', ownProc: false })).toContain('supervisor');
  });
});

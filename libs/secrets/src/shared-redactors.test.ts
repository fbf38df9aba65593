import { describe, expect, it } from '@jest/globals';
import { createSharedRedactors } from './shared-redactors.js';

describe('shared redactors', () => {
  it('give one redactor to all who mask the same values meanwhile', () => {
    const shared = createSharedRedactors();
    const one = shared.hold(['first secret', 'second secret']);
    const same = shared.hold(['second secret', 'first secret']);
    expect(same.redactor).toBe(one.redactor);
    one.release();
    one.release();
    expect(same.redactor.redact('a first secret')).toBe('a ***');
    expect(shared.hold(['first secret', 'second secret']).redactor).toBe(one.redactor);
  });

  it('mask no values but their own', () => {
    const shared = createSharedRedactors();
    const one = shared.hold(['first secret']);
    const other = shared.hold(['second secret']);
    expect(one.redactor.redact('first secret, second secret')).toBe('***, second secret');
    expect(other.redactor.redact('first secret, second secret')).toBe('first secret, ***');
  });

  it('forget the values with the last who masks them', () => {
    const shared = createSharedRedactors();
    const one = shared.hold(['first secret']);
    one.release();
    expect(shared.hold(['first secret']).redactor).not.toBe(one.redactor);
  });
});

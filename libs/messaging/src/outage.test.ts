import { describe, expect, it } from '@jest/globals';
import { CouldNotTellError, LeaseLostError, UnavailableError, VerdictError } from '@floy/domain';
import { isOutage } from './outage.js';

describe('an outage', () => {
  it.each([
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    Object.assign(new Error('x'), { code: '57P01' }),
    Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'connect' }),
    new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]),
    new UnavailableError('The store is away'),
  ])('is %s', (error) => {
    expect(isOutage(error)).toBe(true);
  });

  it.each([
    new VerdictError('pre_switch ended with exit code 2: psql: server closed the connection'),
    new VerdictError('healthz answered 500: Connection terminated unexpectedly'),
    new CouldNotTellError('timeout expired'),
    new LeaseLostError('Connection terminated'),
    Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' }),
    new Error('duplicate key'),
  ])('is not %s', (error) => {
    expect(isOutage(error)).toBe(false);
  });
});

import { expect, it } from '@jest/globals';
import { UnauthorizedError, UnavailableError } from '@floy/domain';
import { createTokenGuard } from './rate-limit.js';

/** A guard with low limits over two tokens that are right until they are revoked. */
function guarded() {
  const valid = new Set(['right', 'other']);
  const looked: string[] = [];
  const guard = createTokenGuard({ perAddress: 5, together: 20 });
  const authenticate = async (secret: string): Promise<string> => {
    looked.push(secret);
    await Promise.resolve();
    if (secret === 'outage') throw new UnavailableError('away');
    if (!valid.has(secret)) throw new UnauthorizedError('The token is not known');
    return secret;
  };
  const ask = (secret: string, ip = '192.0.2.1') =>
    guard({ ip }, secret, authenticate).then(
      () => 200,
      (error: { status?: number }) =>
        error instanceof UnauthorizedError ? 401 : (error.status ?? 503),
    );
  return { ask, looked, valid };
}

const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

it('a flood of wrong tokens is looked up up to the limit, also when all come at once', async () => {
  const { ask, looked } = guarded();
  const answers = await Promise.all(many(500, (n) => ask(`wrong ${n}`)));
  expect(answers.filter((status) => status === 401).length).toBe(5);
  expect(answers.filter((status) => status === 429).length).toBe(495);
  expect(looked.length).toBe(5);
});

it('a flood locks nobody out whose token was right lately, and a revoked one ends at once', async () => {
  const { ask, looked, valid } = guarded();
  expect(await ask('right')).toBe(200);
  await Promise.all(many(50, (n) => ask(`wrong ${n}`)));
  expect(await Promise.all(many(50, () => ask('right')))).toEqual(many(50, () => 200));
  // Not seen before, so that it cannot be told from a wrong one; elsewhere it can.
  expect(await ask('other')).toBe(429);
  expect(await ask('other', '192.0.2.2')).toBe(200);
  valid.delete('right');
  expect(await ask('right')).toBe(401);
  const before = looked.length;
  expect(await ask('right')).toBe(429);
  expect(looked.length).toBe(before);
});

it('many addresses of one IPv6 network, or IPv4 written as IPv6, are one', async () => {
  const { ask } = guarded();
  const network = await Promise.all(many(9, (n) => ask(`wrong ${n}`, `2001:db8:0:7::${n}`)));
  expect(network.filter((status) => status === 429).length).toBe(4);
  expect(await ask('wrong', '2001:db8:0:8::1')).toBe(401);
  for (const n of many(5, (each) => each)) await ask(`mapped ${n}`, '::ffff:192.0.2.9');
  expect(await ask('wrong', '192.0.2.9')).toBe(429);
});

it('guesses from ever new addresses are stopped together', async () => {
  const { ask, looked } = guarded();
  expect(await ask('right')).toBe(200);
  const answers = await Promise.all(many(200, (n) => ask(`wrong ${n}`, `198.51.100.${n}`)));
  expect(answers.filter((status) => status === 401).length).toBe(20);
  expect(looked.length).toBe(21);
  expect(await ask('right', '203.0.113.1')).toBe(200);
});

it('a burst with a new token that is right, and an outage, are no attack', async () => {
  const { ask, looked } = guarded();
  await Promise.all(many(50, (n) => ask('outage', `192.0.2.${n % 2}`)));
  expect(await Promise.all(many(50, () => ask('right')))).toEqual(many(50, () => 200));
  expect(looked.filter((secret) => secret === 'right').length).toBe(50);
  expect(await Promise.all(many(5, (n) => ask(`wrong ${n}`)))).toEqual(many(5, () => 401));
});

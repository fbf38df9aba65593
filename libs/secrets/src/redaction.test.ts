import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createRedactor, MASK } from './redaction.js';
import { formsOf } from './secret-forms.js';

const SECRET = `s3cr3t & "quoted"/it's`;
const PRIVATE_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz',
  'c2gtZWQyNTUxOQAAACBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWgAAAEDN8gAA',
  '-----END OPENSSH PRIVATE KEY-----',
  '',
].join('\n');

/** The definition: mark every occurrence of every form, then write one mask for each marked run. */
function slowly(text: string, values: string[]): string {
  const marked = Array.from({ length: text.length }, () => false);
  for (const form of values.flatMap((value) => [...formsOf(value)])) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
      marked.fill(true, at, at + form.length);
    }
  }
  return text
    .split('')
    .map((char, at) => (!marked[at] ? char : marked[at - 1] ? '' : MASK))
    .join('');
}

describe('redact', () => {
  const redactor = createRedactor();
  redactor.add([SECRET, PRIVATE_KEY]);

  it.each([
    ['as it is', `token=${SECRET}!`, `token=${MASK}!`],
    ['twice', `${SECRET} ${SECRET}`, `${MASK} ${MASK}`],
    ['URL-encoded', `?t=${encodeURIComponent(SECRET)}&x`, `?t=${MASK}&x`],
    ['form-encoded', new URLSearchParams({ t: SECRET }).toString(), `t=${MASK}`],
    ['in JSON', JSON.stringify({ t: SECRET }), `{"t":"${MASK}"}`],
    [
      'in JSON in JSON',
      JSON.stringify(JSON.stringify({ t: SECRET })),
      JSON.stringify(`{"t":"${MASK}"}`),
    ],
    ['in base64', `x ${Buffer.from(SECRET).toString('base64')} y`, `x ${MASK} y`],
    ['in base64url', Buffer.from(`${SECRET}`).toString('base64url'), MASK],
    ['shell-quoted', `+ T='s3cr3t & "quoted"/it'\\''s'`, `+ T='${MASK}'`],
    ['a whole key', PRIVATE_KEY, `${MASK}`],
    ['one line of a key', `> ${PRIVATE_KEY.split('\n')[1]}`, `> ${MASK}`],
    ['a key with CRLF', PRIVATE_KEY.replaceAll('\n', '\r\n'), `${MASK}\r\n`.repeat(4)],
    ['nothing', 'just a log line, s3cr3', 'just a log line, s3cr3'],
  ])('%s', (_name, text, expected) => {
    expect(redactor.redact(text)).toBe(expected);
  });

  it('finds the value inside of longer base64, at every offset', () => {
    for (const user of ['', 'u', 'us', 'use', 'user']) {
      const header = Buffer.from(`${user}:${SECRET}@h`).toString('base64');
      const shown = redactor.redact(header);
      expect(shown).toContain(MASK);
      const left = shown.split(MASK).map((part) => Buffer.from(part, 'base64').toString('latin1'));
      expect(left.join('')).not.toContain('cr3t');
      expect(left.join('')).not.toContain('quoted');
    }
  });

  it('finds a key in wrapped base64, and the decoded text of a value kept in base64', () => {
    const wrapped = (
      Buffer.from(PRIVATE_KEY)
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    ).join('\n');
    expect(redactor.redact(wrapped).replaceAll(MASK, '').trim()).toBe('');
    const encoded = createRedactor();
    encoded.add([Buffer.from(PRIVATE_KEY).toString('base64')]);
    expect(encoded.redact(PRIVATE_KEY)).toBe(MASK);
  });

  it('leaves values alone that are too short to be secrets, and empty ones', () => {
    const short = createRedactor();
    short.add(['', '1', 'yes', '\n', 'four']);
    expect(short.redact('1 yes four\n')).toBe(`1 yes ${MASK}\n`);
  });

  it('masks secrets that overlap as one', () => {
    const overlapping = createRedactor();
    overlapping.add(['abcdef', 'defghi']);
    expect(overlapping.redact('-abcdefghi-')).toBe(`-${MASK}-`);
  });

  it('masks until every adder has ended', () => {
    const shared = createRedactor();
    const [first, second] = [shared.add([SECRET]), shared.add([SECRET, 'another one'])];
    first();
    first();
    expect(shared.redact(`${SECRET} another one`)).toBe(`${MASK} ${MASK}`);
    second();
    expect(shared.redact(SECRET)).toBe(SECRET);
  });

  it('agrees with its definition', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '"'), maxLength: 200 });
    const values = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', '\n', '"'), minLength: 1, maxLength: 12 }),
    );
    fc.assert(
      fc.property(letters, values, (text, secrets) => {
        const quick = createRedactor();
        quick.add(secrets);
        expect(quick.redact(text)).toBe(slowly(text, secrets));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a stream', () => {
  it('gives the same as the whole text, wherever the pieces are cut', () => {
    const unit = fc.constantFrom(
      'a',
      'b',
      'c\nd',
      '%',
      SECRET.slice(0, 9),
      SECRET.slice(9),
      SECRET,
    );
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit, maxLength: 40 }), { maxLength: 30 }),
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c\nd'), maxLength: 9 })),
        (pieces, more) => {
          const redactor = createRedactor();
          redactor.add([SECRET, ...more]);
          const stream = redactor.stream();
          const shown = pieces.map((piece) => stream.push(piece)).join('') + stream.end();
          expect(shown).toBe(redactor.redact(pieces.join('')));
          expect(shown).not.toContain(SECRET);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('shows a secret cut at any place as a mask, and keeps nothing else back', () => {
    const redactor = createRedactor();
    redactor.add([PRIVATE_KEY, SECRET]);
    const text = `before\n${PRIVATE_KEY}after ${SECRET}\n`;
    for (let cut = 0; cut <= text.length; cut += 1) {
      const stream = redactor.stream();
      const shown = stream.push(text.slice(0, cut)) + stream.push(text.slice(cut));
      expect(shown + stream.end()).toBe(`before\n${MASK}after ${MASK}\n`);
    }
    expect(redactor.stream().push('step 1 of 3 done\n')).toBe('step 1 of 3 done\n');
  });

  it('takes many secrets and long output in its stride', () => {
    const redactor = createRedactor();
    const secrets = Array.from(
      { length: 800 },
      (_, n) => `token-${n}-${'x'.repeat(n % 60)}${n * 7}`,
    );
    redactor.add(secrets);
    const line = `compiling token module ${'y'.repeat(60)} ${secrets[700]} done\n`;
    const stream = redactor.stream();
    const started = process.cpuUsage();
    let length = 0;
    for (let n = 0; n < 40_000; n += 1) length += stream.push(line).length;
    const { user } = process.cpuUsage(started);
    expect(length).toBeGreaterThan(40_000 * 80);
    expect(stream.push(line)).not.toContain('xxx');
    // 5 MB; a search for each secret in turn takes half a minute and more.
    expect(user / 1e6).toBeLessThan(5);
  });
});

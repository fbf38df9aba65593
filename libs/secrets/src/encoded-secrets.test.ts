import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createRedactor, MASK } from './redaction.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const base64url = (text: string) => Buffer.from(text).toString('base64url');
const hex = (text: string) => Buffer.from(text).toString('hex');

function base32(text: string): string {
  const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{1,5}/g) ?? []).map(
    (five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, '0'), 2)],
  );
  return letters.join('').padEnd(Math.ceil(letters.length / 8) * 8, '=');
}

/** Escapes a character, or leaves it; `bits` decides which way. */
type Escape = (char: string, bits: number) => string;

const upperOrLower = (text: string, bits: number) => (bits & 8 ? text.toUpperCase() : text);
const percent: Escape = (char, bits) =>
  [...Buffer.from(char)]
    .map((byte) => `%${upperOrLower(byte.toString(16).padStart(2, '0'), bits)}`)
    .join('');
const named: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '"': '&quot;', "'": '&apos;', '/': '&sol;', '=': '&equals;' },
};
const html: Escape = (char, bits) => {
  const code = char.codePointAt(0)!;
  const ways = [`&#${code};`, `&#x${upperOrLower(code.toString(16), bits)};`, `&#00${code};`];
  return bits & 4 ? (named[char] ?? ways[0]!) : ways[bits % 3]!;
};
const unicode = (char: string) =>
  [...Array(char.length).keys()]
    .map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');
const json: Escape = (char, bits) => (bits & 4 ? JSON.stringify(char).slice(1, -1) : unicode(char));
const shell: Escape = (char) => (/[\w\n]/.test(char) || char > '~' ? char : `\\${char}`);
const hexString: Escape = (char) => (char > '~' ? char : `\\x${hex(char)}`);

/** Escapes some characters: those that must be, and by chance any other. */
const some =
  (escape: Escape, must: RegExp) =>
  (text: string, chance: readonly number[]): string =>
    Array.from(text)
      .map((char, at) => {
        const bits = chance[at % chance.length] ?? 0;
        return must.test(char) || bits & 1 ? escape(char, bits >> 1) : char;
      })
      .join('');

type Encoder = (text: string, chance: readonly number[]) => string;
const jsonInPart = some(json, /["\\\u0000-\u001f]/);
const urlInPart = some(percent, /[%+&]/);
const encoders: Readonly<Record<string, Encoder>> = {
  hexadecimal: hex,
  'hexadecimal in capitals': (text) => hex(text).toUpperCase(),
  base32: base32,
  'base32 without padding': (text) => base32(text).replace(/=+$/, ''),
  'base32 in small letters': (text) => base32(text).toLowerCase(),
  base64: base64,
  'base64 for URLs': base64url,
  'double base64': (text) => base64(base64(text)),
  'double base64 for URLs': (text) => base64url(base64url(text)),
  'base64 for URLs in base64': (text) => base64(base64url(text)),
  'percent signs for what is reserved': encodeURIComponent,
  'percent signs in small letters': (text) =>
    encodeURIComponent(text).replace(/%../g, (each) => each.toLowerCase()),
  'percent signs in part': urlInPart,
  'percent signs for everything': some(percent, /[^]/),
  'percent signs twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'a form': (text) => new URLSearchParams({ t: text }).toString().slice(2),
  'a form in part': (text, chance) => urlInPart(text, chance).replaceAll(' ', '+'),
  'base64 in a URL': (text) => encodeURIComponent(base64(text)),
  'HTML in part': some(html, /[&<>"]/),
  'HTML for everything': some(html, /[^]/),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  'JSON in part': jsonInPart,
  'JSON in JSON': (text, chance) => JSON.stringify(jsonInPart(text, chance)).slice(1, -1),
  'JSON with slashes': (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  'a quoted string of a shell': (text) => text.replaceAll("'", "'\\''"),
  'a quoted string of Python': (text) => text.replaceAll("'", `'"'"'`),
  'words of a shell': some(shell, /[^\w\n]/),
  'a string with hexadecimal escapes': some(hexString, /[\\]/),
};

/** Secrets with everything that is escaped somewhere, and with what is not ASCII. */
const secrets = fc
  .string({
    unit: fc.constantFrom(...Array.from('abcXYZ0189 \'"&<>=/+%\\?#-_.~$`|;é密😀')),
    minLength: 8,
    maxLength: 70,
  })
  .filter((text) => text.trim().length >= 8);
const chances = fc.array(fc.nat(15), { minLength: 1, maxLength: 12 });
const cuts = fc.array(fc.nat(), { maxLength: 6 });

/** What a stream shows of a text that comes in pieces. */
function shownInPieces(secret: string, text: string, places: readonly number[]): string {
  const redactor = createRedactor();
  redactor.add([secret]);
  const stream = redactor.stream();
  const borders = [...new Set(places.map((place) => place % (text.length + 1)))].sort(
    (a, b) => a - b,
  );
  const pieces = [0, ...borders].map((from, at) => text.slice(from, borders[at] ?? text.length));
  return pieces.map((piece) => stream.push(piece)).join('') + stream.end();
}

describe('a secret that a build prints in disguise is masked wherever its output is cut:', () => {
  it.each(Object.entries(encoders))('%s', (_name, encode) => {
    fc.assert(
      fc.property(secrets, chances, cuts, (secret, chance, places) => {
        const text = `before\n${encode(secret, chance)}\nafter`;
        expect(shownInPieces(secret, text, places)).toMatch(
          // White space at the ends of a value may stay, it is no part of some of the forms.
          /^before\n(?:\s|\+|%20|%2520|&#\w+;|\\.|\\\\?u0020|\\x20)*\*\*\*(?:\s|\+|%20|%2520|&#\w+;|\\.|\\\\?u0020|\\x20)*\nafter$/i,
        );
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['base32', (text: string) => base32(text)],
    ['base64', (text: string) => base64(text)],
    ['double base64', (text: string) => base64(base64(text))],
    [
      'base64 of something that holds base64',
      (text: string) => base64(`{"auth":"${base64(text)}"}`),
    ],
  ])('%s, inside of something longer', (_name, encode) => {
    const around = fc.string({ unit: fc.constantFrom('u', ':', '7'), maxLength: 9 });
    fc.assert(
      fc.property(secrets, around, around, cuts, (secret, before, behind, places) => {
        const text = encode(before + secret.trim() + behind);
        const left = shownInPieces(secret.trim(), text, places).split(MASK);
        expect(left.length).toBe(2);
        // No more is left than its neighbours take, and the edges that depend on them.
        const most = (length: number) => encode('u'.repeat(length + 6)).length;
        expect(left[0]!.length).toBeLessThanOrEqual(most(before.length));
        expect(left[1]!.replace(/=+$/, '').length).toBeLessThanOrEqual(most(behind.length));
      }),
      { numRuns: 60 },
    );
  });

  it('a long value, of which no more than a piece is kept back', () => {
    const secret = Array.from({ length: 900 }, (_, n) => `${n}&"x`).join('');
    for (const encode of Object.values(encoders).slice(0, 3).concat(encoders['JSON']!)) {
      const text = `<${encode(secret, [0])}>`;
      expect(shownInPieces(secret, text, [1000, 1001, 2500, 3999])).toBe(`<${MASK}>`);
    }
    const redactor = createRedactor();
    redactor.add([secret]);
    const stream = redactor.stream();
    let shown = '';
    for (const char of secret.slice(0, 2000)) shown += stream.push(char);
    expect(shown).toBe(MASK);
    // Behind it stands what was kept back: text that is no secret comes out with it.
    expect((stream.push('-'.repeat(20)) + stream.end()).endsWith('-'.repeat(20))).toBe(true);
  });
});

describe('text that holds no secret', () => {
  it('stays as it is, whatever escapes it holds', () => {
    const unit = fc.constantFrom(
      '%',
      '%4',
      '%41',
      '&',
      '&amp',
      '&#x',
      '&#65;',
      '\\',
      '\\u',
      '\\u00',
      '\\"',
      '+',
      'a',
      ' ',
      'é',
      '%c3',
      '%e5%af',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), cuts, (text, places) => {
        expect(shownInPieces('another & secret', text, places)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['%', '%25', '&#', '&#x73', '\\', '\\u00', 'sec ret+', 'x'])(
    'of 200 KB of %j takes no longer than other text, also in small pieces',
    (part) => {
      const redactor = createRedactor();
      redactor.add(['sec ret+sec ret+sec ret!', 'x'.repeat(3000)]);
      const text = part.repeat(200_000 / part.length);
      const began = process.cpuUsage();
      redactor.redact(text);
      const stream = redactor.stream();
      for (let at = 0; at < 20_000; at += 50) stream.push(text.slice(at, at + 50));
      stream.end();
      expect(process.cpuUsage(began).user / 1e6).toBeLessThan(2);
    },
  );
});

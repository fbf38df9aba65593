/** A value in the alphabets that tools write bytes in. Pure; see `secret-forms.ts`. */

/** As `xxd -p`, `base32` and `base64` break their lines. Characters. */
const HEX_LINE = 60;
const LINES = [64, 76];

/** Hexadecimal in both cases, in one line or as `xxd -p` breaks it. */
export function hexForms(value: string): string[] {
  const hex = Buffer.from(value, 'utf8').toString('hex');
  return [hex, ...linesOf(hex, HEX_LINE)].flatMap((form) => [form, form.toUpperCase()]);
}

/**
 * Base64 of the value alone, wrapped as `base64` and `openssl` do, and of the value inside of
 * something longer (`user:password` of a basic authorization): there it starts at one of three
 * offsets in a group of three bytes, and the characters that do not depend on the neighbours are
 * the same whatever they are. All of it also with the alphabet of URLs.
 */
export function base64Forms(value: string): string[] {
  const { whole, inside } = base64Of(value);
  return bothAlphabets([...whole, ...inside]);
}

/** Base64 of base64, where either may stand inside of something longer and may be wrapped. */
export function doubleBase64Forms(value: string): string[] {
  const { whole, inside } = base64Of(value);
  const outer = bothAlphabets(whole).flatMap((inner) => base64Of(inner).whole);
  const wrapped = LINES.flatMap((width) => {
    const lines = linesOf(whole[0]!, width);
    return lines.length > 0 ? base64Of(`${lines.join('\n')}\n`).whole : [];
  });
  const between = bothAlphabets(inside).flatMap((inner) => base64Of(inner).inside);
  return bothAlphabets([...outer, ...wrapped, ...between]);
}

function base64Of(value: string): { whole: string[]; inside: string[] } {
  const bytes = Buffer.from(value, 'utf8');
  const padded = bytes.toString('base64');
  const lines = LINES.flatMap((width) => linesOf(padded, width));
  const inside = [0, 1, 2].map((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    return shifted.toString('base64').slice(...between(shifted.length, offset, 6));
  });
  return { whole: [padded, padded.replaceAll('=', ''), ...lines], inside };
}

function bothAlphabets(forms: readonly string[]): string[] {
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Base32 of the value alone and inside of something longer, in both cases. */
export function base32Forms(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const whole = base32(bytes);
  const padded = whole.padEnd(Math.ceil(whole.length / 8) * 8, '=');
  const inside = [0, 1, 2, 3, 4].map((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    return base32(shifted).slice(...between(shifted.length, offset, 5));
  });
  const forms = [padded, whole, ...inside, ...LINES.flatMap((width) => linesOf(padded, width))];
  return forms.flatMap((form) => [form, form.toLowerCase()]);
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
}

/** The characters of so many bits each that depend on no byte but those from `offset` to `end`. */
function between(end: number, offset: number, bits: number): [from: number, to: number] {
  return [Math.ceil((offset * 8) / bits), Math.floor((end * 8) / bits)];
}

/** The lines of a text that is longer than one of them. */
function linesOf(text: string, width: number): string[] {
  if (text.length <= width) return [];
  return Array.from({ length: Math.ceil(text.length / width) }, (_, line) =>
    text.slice(line * width, (line + 1) * width),
  );
}

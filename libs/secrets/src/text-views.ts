/**
 * The ways in which a tool may have escaped some or all characters of a text: percent signs, HTML,
 * backslashes. Which characters it escapes differs from tool to tool, so that the text is read back
 * instead of every spelling being listed. Pure; `redaction.ts` searches in what this reads.
 */

/** A text as somebody reads it who takes escapes for what they mean. */
export interface View {
  readonly text: string;
  /** Where each character began in the original; one more for where the last one ended. */
  readonly starts: Uint32Array;
}

/** An escape: what it says, and how long it is. */
interface Unit {
  readonly says: string;
  readonly length: number;
}

/** What begins at a place: an escape, the part of one that the text ends with, or neither. */
type Reader = (text: string, at: number) => Unit | 'cut off' | undefined;

interface Way {
  /** A text without it is not escaped in this way. */
  readonly sign: string;
  readonly readers: readonly Escape[];
}

interface Escape {
  /** Where the next one may begin, else -1. */
  readonly next: (text: string, from: number) => number;
  readonly read: Reader;
}

/**
 * What `text` can be read as, where it holds escapes at all. While more may follow (`last` is false)
 * an escape that the text ends in the middle of is left out, from its beginning.
 */
export function viewsOf(text: string, last: boolean, spaces: boolean): View[] {
  return ways
    .filter(({ sign }) => (sign !== '+' || spaces) && text.includes(sign))
    .map(({ readers }) => {
      const [first, ...more] = readers.map((escape) => (of: string) => read(of, last, escape));
      return more.reduce((view, next) => through(view, next(view.text)), first!(text));
    });
}

/** A view of a view, with its places in the original. */
function through(outer: View, inner: View): View {
  return { text: inner.text, starts: inner.starts.map((start) => outer.starts[start]!) };
}

function read(text: string, last: boolean, escape: Escape): View {
  const starts = new Uint32Array(text.length + 1);
  const said = new Uint16Array(text.length);
  let length = 0;
  let plainFrom = 0;
  let end = text.length;
  const keep = (to: number): void => {
    for (let at = plainFrom; at < to; at += 1, length += 1) {
      starts[length] = at;
      said[length] = text.charCodeAt(at);
    }
  };
  for (let at = escape.next(text, 0); at >= 0;) {
    const unit = escape.read(text, at);
    if (unit === 'cut off' && !last) {
      end = at;
      break;
    }
    if (unit !== undefined && unit !== 'cut off') {
      keep(at);
      for (let n = 0; n < unit.says.length; n += 1, length += 1) {
        starts[length] = at;
        said[length] = unit.says.charCodeAt(n);
      }
      plainFrom = at + unit.length;
    }
    at = escape.next(text, Math.max(plainFrom, at + 1));
  }
  keep(end);
  starts[length] = end;
  const bytes = Buffer.from(said.buffer, 0, length * 2);
  return { text: bytes.toString('utf16le'), starts: starts.subarray(0, length + 1) };
}

/** `%2F`, also for the bytes of one character beyond ASCII. */
function percent(text: string, at: number): Unit | 'cut off' | undefined {
  const first = percentByte(text, at);
  if (typeof first !== 'number') return first;
  const wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  const bytes = [first];
  while (bytes.length < wanted) {
    const next = percentByte(text, at + bytes.length * 3);
    if (next === 'cut off') return next;
    if (next === undefined || next >> 6 !== 2) break;
    bytes.push(next);
  }
  if (bytes.length < wanted) return { says: String.fromCharCode(first), length: 3 };
  return {
    says: Buffer.from(bytes).toString(wanted === 1 ? 'latin1' : 'utf8'),
    length: wanted * 3,
  };
}

function percentByte(text: string, at: number): number | 'cut off' | undefined {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  const left = text.length - at;
  if (left > 0 && text[at] !== '%') return undefined;
  if (left < 3) return left < 2 || high >= 0 ? 'cut off' : undefined;
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** In forms a space is a `+`. */
function percentOrPlus(text: string, at: number): Unit | 'cut off' | undefined {
  return text[at] === '+' ? { says: ' ', length: 1 } : percent(text, at);
}

/** The longest reference that is read: `&#00128512;`. */
const REFERENCE = 12;

const html: Reader = (text, at) => {
  if (text[at + 1] === ' ') return undefined;
  const behind = text.slice(at, at + REFERENCE);
  if (behind.length < REFERENCE && /^&(?:#(?:x[0-9a-f]*|\d*)|[a-z]*)$/i.test(behind))
    return at + behind.length === text.length ? 'cut off' : undefined;
  const numeric = /^&#(?:x([0-9a-f]{1,8})|(\d{1,9}));?/i.exec(behind);
  if (numeric) {
    const [whole, hex, decimal] = numeric;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff
      ? { says: String.fromCodePoint(code), length: whole.length }
      : undefined;
  }
  const [, name] = /^&([a-z]{1,8});/i.exec(behind) ?? [];
  const says = name === undefined ? undefined : entities.get(name);
  return says === undefined ? bareEntity(behind) : { says, length: name!.length + 2 };
};

/** Those that browsers read without their semicolon. */
function bareEntity(text: string): Unit | undefined {
  const [whole, name] = /^&(amp|lt|gt|quot)/i.exec(text) ?? [];
  const says = name === undefined ? undefined : entities.get(name);
  return says === undefined ? undefined : { says, length: whole!.length };
}

/** The names that HTML has for characters of ASCII; some have several. */
const entities = new Map(
  (
    `& amp AMP|< lt LT|> gt GT|" quot QUOT|' apos|! excl|# num|$ dollar|% percnt|( lpar|) rpar|` +
    `* ast midast|+ plus|, comma|. period|/ sol|: colon|; semi|= equals|? quest|@ commat|` +
    `[ lsqb lbrack|\\ bsol|] rsqb rbrack|^ Hat|_ lowbar UnderBar|\` grave|{ lcub lbrace|` +
    `} rcub rbrace`
  )
    .split('|')
    .concat('| vert verbar', '\n NewLine', '\t Tab', '\u00a0 nbsp')
    .flatMap((line) =>
      line
        .slice(2)
        .split(' ')
        .map((name) => [name, line[0]!] as const),
    ),
);

const letters: Readonly<Record<string, string>> = {
  ...{ a: '\u0007', b: '\b', e: '\u001b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

/** As in JSON, in strings of programs, and as shells quote single characters. */
const backslash: Reader = (text, at) => {
  const letter = text[at + 1];
  if (letter !== undefined && !/[uUx0-7]/.test(letter))
    return { says: letters[letter] ?? letter, length: 2 };
  const behind = text.slice(at, at + 10);
  const ends = at + behind.length === text.length;
  if (
    ends &&
    /^\\(?:|u[0-9a-f]{0,3}|u\{[0-9a-f]{0,6}|x[0-9a-f]?|U[0-9a-f]{0,7}|[0-7]{1,2})$/i.test(behind)
  )
    return 'cut off';
  const [whole, ...codes] =
    /^\\(?:u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|x([0-9a-f]{2})|U([0-9a-f]{8}))/i.exec(behind) ?? [];
  if (whole !== undefined) {
    const code = Number.parseInt(
      codes.find((hex) => hex !== undefined)!,
      16,
    );
    if (code <= 0x10ffff) return { says: String.fromCodePoint(code), length: whole.length };
  }
  const octal = /^\\([0-3]?[0-7]{1,2})/.exec(behind);
  if (octal)
    return { says: String.fromCharCode(Number.parseInt(octal[1]!, 8)), length: octal[0].length };
  return letter === undefined ? undefined : { says: letters[letter] ?? letter, length: 2 };
};

const findSign = (sign: string) => (text: string, from: number) => text.indexOf(sign, from);

function nextInForm(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 37 || code === 43) return at;
  }
  return -1;
}

const escapes = {
  percent: { next: findSign('%'), read: percent },
  form: { next: nextInForm, read: percentOrPlus },
  html: { next: findSign('&'), read: html },
  backslash: { next: findSign('\\'), read: backslash },
} satisfies Record<string, Escape>;

/** Twice: JSON that was put into JSON as a string, an address within an address. */
const ways: readonly Way[] = [
  { sign: '%', readers: [escapes.percent] },
  { sign: '+', readers: [escapes.form] },
  { sign: '%25', readers: [escapes.percent, escapes.percent] },
  { sign: '&', readers: [escapes.html] },
  { sign: '\\', readers: [escapes.backslash] },
  { sign: '\\\\', readers: [escapes.backslash, escapes.backslash] },
];

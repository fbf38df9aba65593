import { formsOf } from './secret-forms.js';
import { indexSecrets, type SecretIndex } from './secret-index.js';
import { viewsOf, type View } from './text-views.js';

/** What a text shows in the place of a secret value. */
export const MASK = '***';

/** Masks secrets in a text that comes in pieces. */
export interface RedactingStream {
  /**
   * Takes the next piece and gives back what can be shown of the text so far. Kept back is only an
   * end that may be the beginning of a secret, never more than some thousand characters.
   */
  push(piece: string): string;
  /** Gives back the rest; the stream can be used anew afterwards. */
  end(): string;
}

export interface Redactor {
  /**
   * Masks these values from now on, each also in hexadecimal, base32, base64 and base64 of that,
   * behind the escapes of URLs, HTML, JSON and shells, whichever characters these were put to, and a
   * value of several lines also line by line. The function given back ends it; a value that was
   * added twice is masked until both have ended.
   */
  add(values: Iterable<string>): () => void;
  /** The text with every known secret replaced by `MASK`; secrets that touch become one. */
  redact(text: string): string;
  /** The pieces of a stream's answers put together are `redact` of all its pieces put together. */
  stream(): RedactingStream;
}

/** A redactor that knows no values yet. */
export function createRedactor(): Redactor {
  const known = new Map<string, { readonly forms: Set<string>; holders: number }>();
  let index: SecretIndex | undefined;
  const current = (): SecretIndex =>
    (index ??= indexSecrets(new Set([...known.values()].flatMap(({ forms }) => [...forms]))));

  const stream = (): RedactingStream => {
    let held = '';
    /** Where the mask that stands at the end of what was shown ends, counted from `held`. */
    let masked = -1;

    const take = (piece: string, last: boolean): string => {
      const text = held + piece;
      const { ranges, until } = findSecrets(current(), text, last);
      let shown = '';
      /** Up to here the text is shown, or masked. */
      let done = Math.max(masked, 0);
      let open = masked >= 0;
      for (const { from, to } of ranges) {
        if (from >= until) break;
        if (!open || from > done) shown += text.slice(done, from) + MASK;
        open = true;
        done = Math.max(done, to);
      }
      if (done < until) open = false;
      shown += text.slice(done, until);
      held = text.slice(until);
      masked = open && !last ? done - until : -1;
      return shown;
    };
    return { push: (piece) => take(piece, false), end: () => take('', true) };
  };

  return {
    add(values) {
      const held = new Set(values);
      for (const value of held) {
        const one = known.get(value);
        // Work on many targets holds the same values: their forms and the index are made once.
        if (one) one.holders += 1;
        else {
          known.set(value, { forms: formsOf(value), holders: 1 });
          index = undefined;
        }
      }
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        for (const value of held) {
          const one = known.get(value);
          if (one === undefined) continue;
          one.holders -= 1;
          if (one.holders > 0) continue;
          known.delete(value);
          index = undefined;
        }
      };
    },
    redact(text) {
      const whole = stream();
      return whole.push(text) + whole.end();
    },
    stream,
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Where secrets stand in a text, in their order, and how far that is settled whatever follows.
 * Beyond `until` there are only some of them.
 */
function findSecrets(index: SecretIndex, text: string, last: boolean) {
  const ranges: Range[] = [];
  let until = text.length;
  if (index.empty) return { ranges, until };
  until = index.search(text, last, (from, length) => ranges.push({ from, to: from + length }));
  const views = viewsOf(text, last, index.spaces);
  for (const view of views) {
    const { starts } = view;
    const end = index.search(view.text, last, (at, length) =>
      ranges.push({ from: starts[at]!, to: starts[at + length]! }),
    );
    until = Math.min(until, starts[end]!);
  }
  if (views.length > 0) ranges.sort((a, b) => a.from - b.from);
  return { ranges, until: beginningOf(views, until) };
}

/** `place`, or the beginning of the escapes that it is in the middle of: no view may lose them. */
function beginningOf(views: readonly View[], place: number): number {
  let at = place;
  for (let moved = true; moved;) {
    moved = false;
    for (const { starts } of views) {
      const start = lastUpTo(starts, at);
      // The last one is where the text ends that can be read.
      if (start === at || start === starts.at(-1)) continue;
      at = start;
      moved = true;
    }
  }
  return at;
}

/** The last of the numbers, which rise, that is not above `most`. The first one is 0. */
function lastUpTo(numbers: Uint32Array, most: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (numbers[middle]! <= most) low = middle;
    else high = middle - 1;
  }
  return numbers[low]!;
}

import { formsOf } from './secret-forms.js';
import { indexSecrets, type SecretIndex } from './secret-index.js';

/** What a text shows in the place of a secret value. */
export const MASK = '***';

/** Masks secrets in a text that comes in pieces. */
export interface RedactingStream {
  /**
   * Takes the next piece and gives back what can be shown of the text so far. Kept back is only an
   * end that may be the beginning of a secret, never more than the longest secret.
   */
  push(piece: string): string;
  /** Gives back the rest; the stream can be used anew afterwards. */
  end(): string;
}

export interface Redactor {
  /**
   * Masks these values from now on, each also in base64, URL encoding and JSON escapes, and a
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
  const counts = new Map<string, number>();
  let index: SecretIndex | undefined;
  const current = (): SecretIndex => (index ??= indexSecrets(counts.keys()));

  const stream = (): RedactingStream => {
    let held = '';
    let masking = false;
    /** Where the mask in work ends, counted from the start of `held`. */
    let maskEnd = 0;

    const take = (piece: string, last: boolean): string => {
      const secrets = current();
      const text = held + piece;
      let shown = '';
      let plainFrom = 0;
      let at = 0;
      for (; at < text.length && !(secrets.empty && !masking); at += 1) {
        if (!last && secrets.mayGoOnAt(text, at)) break;
        const length = secrets.longestAt(text, at);
        if (masking && length === 0 && at >= maskEnd) {
          masking = false;
          plainFrom = at;
        }
        if (length === 0) continue;
        if (!masking) {
          shown += text.slice(plainFrom, at) + MASK;
          masking = true;
          maskEnd = at;
        }
        maskEnd = Math.max(maskEnd, at + length);
      }
      if (secrets.empty && !masking) at = text.length;
      if (!masking) shown += text.slice(plainFrom, at);
      held = text.slice(at);
      maskEnd -= at;
      if (last) masking = false;
      return shown;
    };
    return { push: (piece) => take(piece, false), end: () => take('', true) };
  };

  return {
    add(values) {
      const forms = new Set<string>();
      for (const value of values) for (const form of formsOf(value)) forms.add(form);
      for (const form of forms) counts.set(form, (counts.get(form) ?? 0) + 1);
      index = undefined;
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        for (const form of forms) {
          const count = (counts.get(form) ?? 0) - 1;
          if (count > 0) counts.set(form, count);
          else counts.delete(form);
        }
        index = undefined;
      };
    },
    redact(text) {
      const whole = stream();
      return whole.push(text) + whole.end();
    },
    stream,
  };
}

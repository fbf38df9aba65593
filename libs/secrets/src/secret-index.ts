import { SHORTEST_VALUE } from './secret-forms.js';

/**
 * Finds any of thousands of texts anywhere in another. A position is looked up by its first four
 * characters, first in a table of bits (which says no for nearly every position of a log), then in
 * a map to the few texts that begin so.
 */
export interface SecretIndex {
  readonly empty: boolean;
  /** Whether one of the texts holds a space, which forms write as `+`. */
  readonly spaces: boolean;
  /**
   * Tells of the longest known text at every position that has one, in their order. Unless this is
   * the `last` of a longer text it ends at the first position from which a known text may go on
   * beyond the end; answers that position, else the length.
   */
  search(text: string, last: boolean, found: (at: number, length: number) => void): number;
}

const HEAD = SHORTEST_VALUE;

/** `texts` are at least `SHORTEST_VALUE` characters long. */
export function indexSecrets(texts: Iterable<string>): SecretIndex {
  const byHead = new Map<string, string[]>();
  const beginnings = new Set<string>();
  let spaces = false;
  for (const text of texts) {
    const head = text.slice(0, HEAD);
    const sharing = byHead.get(head);
    if (sharing) sharing.push(text);
    else byHead.set(head, [text]);
    for (let length = 1; length < HEAD; length += 1) beginnings.add(text.slice(0, length));
    spaces ||= text.includes(' ');
  }
  for (const sharing of byHead.values()) sharing.sort((a, b) => b.length - a.length);
  const table = tableOf(byHead.keys(), byHead.size);

  return {
    empty: byHead.size === 0,
    spaces,
    search(text, last, found) {
      const end = text.length;
      let at = 0;
      for (; at + HEAD <= end; at += 1) {
        if (!table.mayHave(text, at)) continue;
        const sharing = byHead.get(text.slice(at, at + HEAD));
        if (sharing === undefined) continue;
        if (!last && sharing[0]!.length > end - at && goesOn(sharing, text.slice(at))) return at;
        const length = sharing.find((secret) => text.startsWith(secret, at))?.length;
        if (length !== undefined) found(at, length);
      }
      for (; !last && at < end; at += 1) if (beginnings.has(text.slice(at))) return at;
      return end;
    },
  };
}

function goesOn(sharing: readonly string[], rest: string): boolean {
  return sharing.some((secret) => secret.length > rest.length && secret.startsWith(rest));
}

/** Which first four characters there are; large enough to be mostly empty. */
function tableOf(heads: Iterable<string>, count: number) {
  const bits = Math.min(22, Math.max(12, 32 - Math.clz32(count * 32)));
  const shift = 32 - bits;
  const seen = new Uint8Array(1 << bits);
  const slotOf = (text: string, at: number): number =>
    Math.imul(
      text.charCodeAt(at) ^
        (text.charCodeAt(at + 1) << 8) ^
        (text.charCodeAt(at + 2) << 16) ^
        (text.charCodeAt(at + 3) << 24),
      0x9e3779b1,
    ) >>> shift;
  for (const head of heads) seen[slotOf(head, 0)] = 1;
  return { mayHave: (text: string, at: number) => seen[slotOf(text, at)] === 1 };
}

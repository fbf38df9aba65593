import { SHORTEST_VALUE } from './secret-forms.js';

/**
 * Finds any of thousands of texts at a position. A position is looked up by its first four
 * characters, first in a table of bits (which says no for nearly every position of a log), then in
 * a map to the few texts that begin so.
 */
export interface SecretIndex {
  readonly empty: boolean;
  /** Length of the longest known text that stands in `text` at `at`, else 0. */
  longestAt(text: string, at: number): number;
  /** Whether `text` ends, from `at` on, with the beginning of a longer known text. */
  mayGoOnAt(text: string, at: number): boolean;
}

const HEAD = SHORTEST_VALUE;
const BITS = 1 << 16;

/** `texts` are at least `SHORTEST_VALUE` characters long. */
export function indexSecrets(texts: Iterable<string>): SecretIndex {
  const byHead = new Map<string, string[]>();
  const beginnings = new Set<string>();
  const seen = new Uint8Array(BITS);
  for (const text of texts) {
    const head = text.slice(0, HEAD);
    const sharing = byHead.get(head);
    if (sharing) sharing.push(text);
    else byHead.set(head, [text]);
    seen[slotOf(text, 0)] = 1;
    for (let length = 1; length < HEAD; length += 1) beginnings.add(text.slice(0, length));
  }
  for (const sharing of byHead.values()) sharing.sort((a, b) => b.length - a.length);

  const candidates = (text: string, at: number): string[] | undefined =>
    seen[slotOf(text, at)] === 1 ? byHead.get(text.slice(at, at + HEAD)) : undefined;

  return {
    empty: byHead.size === 0,
    longestAt(text, at) {
      if (at + HEAD > text.length) return 0;
      return candidates(text, at)?.find((secret) => text.startsWith(secret, at))?.length ?? 0;
    },
    mayGoOnAt(text, at) {
      const left = text.length - at;
      if (left < HEAD) return beginnings.has(text.slice(at));
      const sharing = candidates(text, at);
      if (!sharing?.[0] || sharing[0].length <= left) return false;
      const rest = text.slice(at);
      return sharing.some((secret) => secret.length > left && secret.startsWith(rest));
    },
  };
}

function slotOf(text: string, at: number): number {
  return (
    (text.charCodeAt(at) ^
      (text.charCodeAt(at + 1) << 3) ^
      (text.charCodeAt(at + 2) << 6) ^
      (text.charCodeAt(at + 3) << 9)) &
    (BITS - 1)
  );
}

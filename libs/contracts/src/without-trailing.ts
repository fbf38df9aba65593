/**
 * A text without the signs at its end that are one of these. (An expression such as `/[x]+$/` looks
 * again from each sign of a long row, and so takes time by the square of the text.)
 */
export function withoutTrailing(text: string, signs: string): string {
  let end = text.length;
  while (end > 0 && signs.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** A text without the signs at its beginning that are one of these. */
export function withoutLeading(text: string, signs: string): string {
  let begin = 0;
  while (begin < text.length && signs.includes(text.charAt(begin))) begin += 1;
  return text.slice(begin);
}

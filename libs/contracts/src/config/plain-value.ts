/** Letters and digits of ASCII and a few signs to which no shell gives a meaning. */
const plain = /^[A-Za-z0-9._/@:+,=-]+$/;

/**
 * Why a value may not become part of a command, or undefined. Letters of other scripts are refused
 * too: in some locales a shell reads a byte of theirs as a space or a backslash.
 */
export function plainProblem(value: string): string | undefined {
  if (value === '') return 'is empty';
  if (value.startsWith('-')) return 'begins with a dash, as options do';
  return plain.test(value) ? undefined : 'holds more than letters, digits and ._/@:+,=-';
}

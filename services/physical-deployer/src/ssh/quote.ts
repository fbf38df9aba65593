/**
 * One word of a POSIX shell command that stands for exactly this text. This is the only function
 * that puts values into shell text: everything that reaches a host goes through it.
 *
 * @throws RangeError for a text with a NUL, which no shell can hold
 */
export function quote(text: string): string {
  if (text.includes('\0')) throw new RangeError('a NUL character cannot be given to a shell');
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The end of what something said, as an addition to a sentence; nothing if it said nothing. */
export function quoteTail(text: string, limit = 2048): string {
  const said = text.trim();
  return said === '' ? '' : `: ${said.slice(-limit)}`;
}

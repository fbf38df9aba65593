/** So much of a host's own words is shown where it explains an error. Characters. */
const SHOWN = 500;

/** The beginning of what a host said in the protocol, on one line, for an error's text. */
export function saidText(text: string): string {
  const line = text.slice(0, SHOWN).replaceAll(/\p{Cc}+/gu, ' ');
  return text.length > SHOWN ? `${line}…` : line;
}

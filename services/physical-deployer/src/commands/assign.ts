import { quote } from '../ssh/quote.js';

/** Shell assignments, one a line: the only way values get into a script's text. */
export function assign(values: Readonly<Record<string, string | number | bigint>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quote(String(value))}`)
    .join('\n');
}

import { MASK, type Redactor } from '@floy/secrets/redaction';

/** How names of secrets are made. */
const SECRET = /pass|secret|token|credential|auth|key/i;

/**
 * A command as the audit shows it: without the secrets that Floy knows, and without what a word says
 * is one: `PASSWORD=…`, `--token …`, `Authorization: Bearer …`, `https://user:…@host`. A secret that
 * is named nowhere (`mysql -pthis`) cannot be told from a word.
 */
export function shownCommand(command: string, redactor: Pick<Redactor, 'redact'>): string {
  let hideNext = false;
  return redactor
    .redact(command)
    .split(/(\s+)/)
    .map((word) => {
      if (word.trim() === '') return word;
      const hide = hideNext;
      const shown = withoutPassword(withoutValue(word));
      const scheme = /^\W*(?:bearer|basic)\W*$/i.test(word);
      const names = SECRET.test(word) && (word.startsWith('-') || word.endsWith(':'));
      hideNext = scheme || (names && shown === word);
      return hide && !scheme ? MASK : shown;
    })
    .join('');
}

function withoutValue(word: string): string {
  const at = word.search(/[=:]/);
  const named = at > 0 && at < word.length - 1 && SECRET.test(word.slice(0, at));
  return named ? word.slice(0, at + 1) + MASK : word;
}

function withoutPassword(word: string): string {
  const from = word.indexOf('://') + 3;
  const at = word.lastIndexOf('@');
  const colon = word.indexOf(':', from);
  return from > 2 && colon > 0 && colon < at
    ? word.slice(0, colon + 1) + MASK + word.slice(at)
    : word;
}

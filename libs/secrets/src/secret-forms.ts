import { base32Forms, base64Forms, doubleBase64Forms, hexForms } from './encoded-forms.js';

/**
 * The shapes in which a secret can turn up in text: as it is, line by line, encoded by the tools
 * that print it. Pure; `redaction.ts` searches for what this lists, also behind the escapes that
 * `text-views.ts` reads.
 */

/** A value shorter than this is not searched for: masking every `1` of a log hides nothing. */
export const SHORTEST_VALUE = 4;
/** Derived forms and single lines shorter than this are left out, they hit too much else. */
export const SHORTEST_FORM = 6;
/**
 * A longer form is searched for in pieces of this length. They touch, so that one mask stands for
 * all of it, and no stream has to keep more of its text back. Characters.
 */
export const LONGEST_FORM = 256;

/** Every text to mask for one secret value, none shorter than `SHORTEST_VALUE`. */
export function formsOf(value: string): Set<string> {
  const forms = new Set<string>();
  addText(forms, value);
  const decoded = decodedText(value);
  // A private key or a kubeconfig is kept in base64; what is used, and printed, is the decoded one.
  if (decoded !== undefined) addText(forms, decoded);
  return forms;
}

function addText(forms: Set<string>, value: string): void {
  const trimmed = value.trim();
  const texts = [...new Set([value, trimmed])];
  for (const whole of texts) {
    if (whole.length >= SHORTEST_VALUE) addPieces(forms, whole);
  }
  const lines = trimmed.split(/\r?\n/);
  const derived = [
    ...(lines.length > 1 ? lines.map((line) => line.trim()) : []),
    ...texts.flatMap((text) => [
      ...hexForms(text),
      ...base32Forms(text),
      ...base64Forms(text),
      ...doubleBase64Forms(text),
      // What `sh -x` prints for a value that holds a single quote, and what Python makes of it.
      text.replaceAll("'", "'\\''"),
      text.replaceAll("'", `'"'"'`),
    ]),
  ];
  for (const form of derived) {
    if (form.length >= SHORTEST_FORM) addPieces(forms, form);
  }
}

function addPieces(forms: Set<string>, form: string): void {
  let at = 0;
  // The last piece is never so short that it hits much else.
  for (; form.length - at > LONGEST_FORM; at += LONGEST_FORM / 2)
    forms.add(form.slice(at, at + LONGEST_FORM / 2));
  forms.add(form.slice(at));
}

/** What the value says if it is base64 of text, else undefined. */
function decodedText(value: string): string | undefined {
  const compact = value.replace(/\s+/g, '');
  if (compact.length < 24 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(compact, 'base64'));
    // Control characters other than whitespace are not what text is made of.
    return /[^\P{Cc}\s]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

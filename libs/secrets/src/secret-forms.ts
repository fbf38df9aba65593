/**
 * The shapes in which a secret can turn up in text: as it is, line by line, encoded by the tools
 * that print it. Pure; `redaction.ts` searches for what this lists.
 */

/** A value shorter than this is not searched for: masking every `1` of a log hides nothing. */
export const SHORTEST_VALUE = 4;
/** Derived forms and single lines shorter than this are left out, they hit too much else. */
export const SHORTEST_FORM = 6;

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
  for (const whole of [value, trimmed]) {
    if (whole.length >= SHORTEST_VALUE) forms.add(whole);
  }
  const lines = trimmed.split(/\r?\n/);
  const derived = [
    ...(lines.length > 1 ? lines.map((line) => line.trim()) : []),
    ...[value, trimmed].flatMap((text) => [
      ...urlForms(text),
      ...jsonForms(text),
      ...base64Forms(text),
      // What `sh -x` prints for a value that holds a single quote.
      text.replaceAll("'", "'\\''"),
    ]),
  ];
  for (const form of derived) {
    if (form.length >= SHORTEST_FORM) forms.add(form);
  }
}

function urlForms(value: string): string[] {
  const encoded = encodeURIComponent(value.replace(/\p{Surrogate}/gu, '\ufffd'));
  const strict = encoded.replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  // `/` stays as it is in the path of a URL.
  return [encoded, strict, strict.replaceAll('%20', '+'), encoded.replaceAll('%2F', '/')].flatMap(
    (form) => [form, form.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())],
  );
}

function jsonForms(value: string): string[] {
  const escaped = JSON.stringify(value).slice(1, -1);
  const ascii = escaped.replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  // The last one: JSON that was put into JSON as a string, as log lines often are.
  return [escaped, ascii, escaped.replaceAll('/', '\\/'), JSON.stringify(escaped).slice(1, -1)];
}

/**
 * Base64 of the value alone, wrapped as `base64` and `openssl` do, and of the value inside of
 * something longer (`user:password` of a basic authorization): there it starts at one of three
 * offsets in a group of three bytes, and the characters that do not depend on the neighbours are
 * the same whatever they are.
 */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const whole = bytes.toString('base64');
  const forms = [whole, whole.replaceAll('=', '')];
  for (const width of [64, 76]) {
    if (whole.length <= width) continue;
    for (let at = 0; at < whole.length; at += width) forms.push(whole.slice(at, at + width));
  }
  for (let offset = 0; offset < 3; offset += 1) {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    const first = Math.ceil((offset * 8) / 6);
    forms.push(shifted.toString('base64').slice(first, Math.floor((shifted.length * 8) / 6)));
  }
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
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

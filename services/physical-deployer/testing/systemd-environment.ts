type State =
  | 'before key'
  | 'key'
  | 'before value'
  | 'value'
  | 'escape'
  | 'single'
  | 'escape in single'
  | 'double'
  | 'escape in double'
  | 'comment';

interface Reading {
  readonly read: Record<string, string>;
  readonly escapesInSingleQuotes: boolean;
  key: string;
  value: string;
  /** Length of the value without the spaces at the end of an unquoted one. */
  kept: number;
}

/**
 * Reads a file as `EnvironmentFile=` of systemd does, state by state like its `parse_env_file`.
 * Versions before 240 took a backslash in single quotes for an escape.
 */
export function readLikeSystemd(
  text: string,
  options: { readonly escapesInSingleQuotes: boolean },
): Record<string, string> {
  const reading: Reading = { ...options, read: {}, key: '', value: '', kept: 0 };
  let state: State = 'before key';
  for (const character of text) state = AFTER[state](character, reading);
  return reading.read;
}

const isSpace = (c: string): boolean => ' \t\n\r'.includes(c);
const isNewline = (c: string): boolean => '\n\r'.includes(c);

/** The state after a character. */
const AFTER: Readonly<Record<State, (c: string, reading: Reading) => State>> = {
  'before key': (c, reading) => {
    if ('#;'.includes(c)) return 'comment';
    if (isSpace(c)) return 'before key';
    Object.assign(reading, { key: c, value: '', kept: 0 });
    return 'key';
  },
  key: (c, reading) => {
    if (isNewline(c)) return 'before key';
    if (c === '=') return 'before value';
    reading.key += c;
    return 'key';
  },
  'before value': (c, reading) => {
    if (isNewline(c)) return ended(reading);
    if (c === "'") return 'single';
    if (c === '"') return 'double';
    if (c === '\\') return 'escape';
    if (isSpace(c)) return 'before value';
    return added(c, reading, 'value');
  },
  value: (c, reading) => {
    if (isNewline(c)) {
      reading.value = reading.value.slice(0, reading.kept);
      return ended(reading);
    }
    if (c === '\\') return 'escape';
    if (!isSpace(c)) return added(c, reading, 'value');
    reading.value += c;
    return 'value';
  },
  escape: (c, reading) => (isNewline(c) ? 'value' : added(c, reading, 'value')),
  single: (c, reading) => {
    if (c === "'") return 'before value';
    if (c === '\\' && reading.escapesInSingleQuotes) return 'escape in single';
    return added(c, reading, 'single');
  },
  'escape in single': (c, reading) => (isNewline(c) ? 'single' : added(c, reading, 'single')),
  double: (c, reading) => {
    if (c === '"') return 'before value';
    return c === '\\' ? 'escape in double' : added(c, reading, 'double');
  },
  'escape in double': (c, reading) => {
    if (c === '\n') return 'double';
    return added('"\\`$'.includes(c) ? c : `\\${c}`, reading, 'double');
  },
  comment: (c) => (isNewline(c) ? 'before key' : 'comment'),
};

function added(text: string, reading: Reading, state: State): State {
  reading.value += text;
  reading.kept = reading.value.length;
  return state;
}

function ended(reading: Reading): State {
  // A name that is none, such as `export A`, is left out with a warning.
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(reading.key)) reading.read[reading.key] = reading.value;
  return 'before key';
}

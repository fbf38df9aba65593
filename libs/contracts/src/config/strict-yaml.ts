import { Composer, isMap, isScalar, isSeq, Parser, type CST } from 'yaml';

/** One value of a document, and where it stands: `users[0].name`. */
export interface YamlEntry {
  readonly path: string;
  /** The key that it stands under; "" in a list. */
  readonly name: string;
  /** Undefined for a list or a mapping. */
  readonly scalar: unknown;
}

/** What a document says, or why it is not read. */
export type StrictYaml = { readonly entries: readonly YamlEntry[] } | { readonly reason: string };

/**
 * How deep parts may stand in each other. The library goes down by recursion, and Node does not
 * survive where its stack ends in the middle of that.
 */
const DEEPEST = 32;

/**
 * Reads YAML that every parser reads alike: one document without directives, anchors, aliases, tags,
 * merge keys, duplicate keys, and characters that only some take for an end of line. Linear in time.
 */
export function readStrictYaml(text: string): StrictYaml {
  const odd = /[^\t\n\r\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffc]/.exec(
    text,
  );
  if (odd) {
    const code = odd[0].charCodeAt(0).toString(16).padStart(4, '0').toUpperCase();
    return { reason: `must not hold the character U+${code}` };
  }
  const tokens = [...new Parser().parse(text)];
  if (tokens.some(({ type }) => type === 'directive'))
    return { reason: 'must not hold YAML directives' };
  if (tokens.filter(({ type }) => type === 'document').length > 1)
    return { reason: 'must be one YAML document, not several' };
  const odder = oddPart(tokens);
  if (odder !== undefined) return { reason: odder };
  const composer = new Composer({ uniqueKeys: false, logLevel: 'silent' });
  const [document] = composer.compose(tokens);
  if (document === undefined) return { entries: [] };
  const [error] = [...document.errors, ...document.warnings];
  return error ? { reason: `is not plain YAML: ${error.code}` } : entriesOf(document.contents);
}

const oddTypes: Readonly<Record<string, string>> = {
  alias: 'must not hold YAML aliases',
  anchor: 'must not hold YAML anchors',
  tag: 'must not hold YAML tags',
  error: 'is not plain YAML',
};

/** Looks through the parts of a text, before anything is made of them. */
function oddPart(tokens: readonly CST.Token[]): string | undefined {
  const open: { part: object; depth: number }[] = tokens.map((part) => ({ part, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { part, depth } = next;
    if (depth > DEEPEST) return `is nested deeper than ${DEEPEST} levels`;
    const { type } = part as { type?: unknown };
    const reason = typeof type === 'string' ? oddTypes[type] : undefined;
    if (reason !== undefined) return reason;
    // A list of parts is no level of its own.
    const deeper = Array.isArray(part) || type === undefined ? depth : depth + 1;
    for (const below of Object.values(part))
      if (typeof below === 'object' && below !== null) open.push({ part: below, depth: deeper });
  }
  return undefined;
}

function entriesOf(contents: unknown): StrictYaml {
  const entries: YamlEntry[] = [];
  const open: { node: unknown; path: string; name: string }[] = [
    { node: contents, path: '', name: '' },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, path, name } = next;
    entries.push({ path, name, scalar: isScalar(node) ? node.value : undefined });
    if (isSeq(node)) {
      for (const [at, item] of node.items.entries())
        open.push({ node: item, path: `${path}[${at}]`, name: '' });
    }
    if (!isMap(node)) continue;
    const names = new Set<string>();
    for (const { key, value } of node.items) {
      const own = isScalar(key) ? key.value : undefined;
      if (typeof own !== 'string') return { reason: 'must have texts as keys' };
      if (own === '<<') return { reason: 'must not hold YAML merge keys' };
      if (names.has(own)) return { reason: 'must not hold a key twice' };
      names.add(own);
      open.push({ node: value, path: path === '' ? own : `${path}.${own}`, name: own });
    }
  }
  return { entries };
}

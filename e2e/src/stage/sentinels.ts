/** A secret that is searched for, by what nobody else has in the world. */
export interface Sentinel {
  readonly name: string;
  /** Any of these in a text is a leak; distinctive ones, no line that all keys of a kind share. */
  readonly needles: readonly string[];
}

/** A secret that is one word. */
export function wordSentinel(name: string, value: string): Sentinel {
  return { name, needles: formsOf(value) };
}

/** A private key: each line that holds key material, and the key as configs keep it. */
export function keySentinel(name: string, privateKey: string): Sentinel {
  const lines = privateKey.trim().split('\n').slice(1, -1);
  // What all keys of a kind have in common is in the first line.
  const own = lines.slice(1).filter((line) => line.length > 20);
  const encoded = Buffer.from(privateKey).toString('base64');
  return { name, needles: [...own.flatMap(formsOf), encoded.slice(200, 260)] };
}

/** The names of the sentinels that a text holds. */
export function sentinelsIn(text: string, sentinels: readonly Sentinel[]): string[] {
  return sentinels
    .filter(({ needles }) => needles.some((needle) => text.includes(needle)))
    .map(({ name }) => name);
}

/** As it is, as Postgres shows bytes, and encoded as tools do, alone or within something longer. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const within = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  return [value, bytes.toString('hex'), encodeURIComponent(value), ...within];
}

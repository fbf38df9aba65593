/** Characters of the text that each parser of foreign text is tried with. */
const MEGABYTE = 1024 * 1024;

/** A megabyte of a piece, again and again, between a beginning and an end that spoil it. */
export function megabyteOf(piece: string, begin = '', end = ''): string {
  return begin + piece.repeat(Math.ceil(MEGABYTE / piece.length)) + end;
}

/**
 * Texts on which careless parsers go back and forth: rows of one piece, with an end that makes the
 * whole row worth nothing. One at a time, as all together they fill the memory.
 */
export function* worstTexts(
  pieces: readonly string[],
  begins: readonly string[] = [''],
): Generator<string> {
  for (const begin of begins) {
    for (const piece of pieces) yield* ['', '\0'].map((end) => megabyteOf(piece, begin, end));
  }
}

/** The milliseconds that this process has computed: others on the machine do not lengthen them. */
export function processMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * The milliseconds of the slowest of these texts. A parser may refuse a text by any error; only the
 * time counts.
 */
export function slowestOf(parse: (text: string) => unknown, texts: Iterable<string>): number {
  let slowest = 0;
  for (const text of texts) {
    const began = processMs();
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
    slowest = Math.max(slowest, processMs() - began);
  }
  return slowest;
}

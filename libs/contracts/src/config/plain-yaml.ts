import { Lexer } from 'yaml';

/** No file that a person wrote is nested deeper. */
const DEEPEST = 64;
/**
 * The most words, spaces and breaks among them: the time of composing grows by the square of keys
 * and of mistakes.
 */
const MOST_WORDS = 10_000;
/** After this sign of the lexer the next word is the text of a scalar. */
const SCALAR = '\u001f';

/**
 * Why a YAML text is not composed, or undefined. Composing calls itself for each level, and what is
 * nested deep enough ends the whole process; rows of anchors, keys or quotes take time by the square
 * of their length. Reads the words of the text alone, once.
 */
export function plainYamlProblem(text: string): string | undefined {
  let flow = 0;
  let ofLine = 0;
  let isScalar = false;
  let words = 0;
  for (const word of new Lexer().lex(text)) {
    words += 1;
    if (words > MOST_WORDS) return `holds more than ${MOST_WORDS} words`;
    const sign = isScalar ? '' : word.charAt(0);
    isScalar = word === SCALAR;
    if (sign === '[' || sign === '{') flow += 1;
    else if (sign === ']' || sign === '}') flow -= 1;
    // `- - -` and `? ? ?` begin a level each, all on one line.
    else if (sign === '-' || sign === '?' || sign === ':') ofLine += 1;
    else if (word.includes('\n')) ofLine = 0;
    if ('&*!'.includes(sign) && sign !== '') return 'holds an anchor, an alias or a tag of YAML';
    if (flow > DEEPEST || ofLine > DEEPEST) return 'is nested too deep';
  }
  return undefined;
}

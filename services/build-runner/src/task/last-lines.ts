import { FloyError, VerdictError } from '@floy/domain';

/** How much of an output is kept, for secrets to be found in it. Characters. */
const KEPT = 64 * 1024;
const MOST_LINES = 20;
/** Characters of all lines together. */
const LONGEST = 2000;
/** What tools print to colour a line or to move on it. */
const COLOURS = /\p{Cc}\[[0-9;?]*[A-Za-z]/gu;

/** The end of what a command prints, for the message of its failure. */
export interface LastLines {
  add(text: string): void;
  /** The verdict on the command, which remembers its last lines. */
  of(verdict: VerdictError): VerdictError;
}

/**
 * Keeps the end of an output that comes in pieces. Secrets are masked before it is cut to its last
 * lines: a piece of one would not be found.
 */
export function keepLastLines(redact: (text: string) => string): LastLines {
  let kept = '';
  const lines = (): string => {
    const last = redact(kept)
      .replaceAll(COLOURS, '')
      .split(/[\r\n]/)
      .map((line) => line.trimEnd())
      .filter((line) => line !== '')
      .slice(-MOST_LINES)
      .join('\n');
    return last.length > LONGEST ? `…${last.slice(-LONGEST)}` : last;
  };
  return {
    add(text) {
      kept = (kept + text).slice(-KEPT);
    },
    of: ({ message, details }) => new VerdictError(message, { ...details, last_lines: lines() }),
  };
}

/** The last lines that an error remembers, behind a line break; the log has them already. */
export function lastLinesOf(error: unknown): string {
  const lines = error instanceof FloyError ? error.details['last_lines'] : undefined;
  return typeof lines === 'string' && lines !== '' ? `\n${lines}` : '';
}

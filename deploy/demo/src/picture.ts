import type { Mood, Spoken } from './describe-event.js';
import type { Line, Progress } from './progress.js';

/** Colours a text, or leaves it. */
export type Paint = (mood: Mood | 'title' | 'faint', text: string) => string;

const COLOURS = { waiting: 2, busy: 33, good: 32, bad: 31, title: 1, faint: 2 } as const;
const SIGNS: Readonly<Record<Exclude<Mood, 'busy'>, string>> = {
  waiting: '·',
  good: '✓',
  bad: '✗',
};
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Paints with the colours of a terminal, or not at all. */
export function paintWith(colour: boolean): Paint {
  return (mood, text) => (colour && text !== '' ? `\x1b[${COLOURS[mood]}m${text}\x1b[0m` : text);
}

/** How wide names are shown, so that what is said of them stands below each other. */
const NAME_WIDTH = 10;

/** One event as a line that stays. */
export function eventLine({ at, who, text, mood }: Line, paint: Paint): string {
  const time = `${(at / 1000).toFixed(1)} s`.padStart(8);
  const said = mood === 'good' || mood === 'bad' ? paint(mood, text) : text;
  return `${paint('faint', time)}  ${who.padEnd(NAME_WIDTH)}  ${said}`;
}

/**
 * The present state as a few lines that are drawn over and over.
 *
 * @param elapsed milliseconds since the deployment was wished for; also turns the spinner
 * @param columns of the terminal: a line that is broken could not be drawn over
 */
export function picture(
  progress: Progress,
  elapsed: number,
  columns: number,
  paint: Paint,
): string[] {
  const line = (name: string, { text, mood }: Spoken, time = ''): string => {
    const sign =
      mood === 'busy' ? (SPINNER[Math.floor(elapsed / 100) % SPINNER.length] ?? '') : SIGNS[mood];
    const room = Math.max(0, columns - NAME_WIDTH - 7 - time.length);
    const said = text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text;
    return `  ${paint(mood, sign)} ${name.padEnd(NAME_WIDTH)}  ${said}${paint('faint', time)}`;
  };
  return [
    ...progress.rows.map((row) => line(row.name, row)),
    line('deployment', progress.deployment, `  ${(elapsed / 1000).toFixed(1)} s`),
  ];
}

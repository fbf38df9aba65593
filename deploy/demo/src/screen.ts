import { paintWith, type Paint } from './picture.js';

/** Where the demo shows what happens. */
export interface Screen {
  readonly paint: Paint;
  /** Whether `draw` shows anything; otherwise each event is to be printed as a line. */
  readonly live: boolean;
  readonly columns: () => number;
  /** A line that stays. */
  print(line?: string): void;
  /** Lines in the place of those drawn before; print puts its own above them. */
  draw(lines: readonly string[]): void;
  /** What was drawn last stays. */
  keep(): void;
}

/** A screen on a stream; without `live` nothing is written but lines. */
export function createScreen(
  stream: NodeJS.WriteStream,
  how: { readonly live: boolean; readonly colour: boolean },
): Screen {
  let drawn: readonly string[] = [];
  const wipe = (): string => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\x1b[0J`);
  const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  return {
    paint: paintWith(how.colour),
    live: how.live,
    columns: () => stream.columns || 80,
    print(line = '') {
      stream.write(`${wipe()}${line}\n${text(drawn)}`);
    },
    draw(lines) {
      if (!how.live) return;
      stream.write(`${wipe()}${text(lines)}`);
      drawn = lines;
    },
    keep() {
      drawn = [];
    },
  };
}

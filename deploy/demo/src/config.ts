import { isatty } from 'node:tty';

/** What the demo is told by its surroundings. */
export interface DemoConfig {
  /** The data folder of Floy, if one was named; the demo keeps to a folder of its own in it. */
  readonly home: string | undefined;
  /** Folders to look for programs in. */
  readonly searchPath: string;
  /** Whether the output is a terminal that a picture can be drawn on again and again. */
  readonly live: boolean;
  readonly colour: boolean;
  /** What Floy is started with: nothing of another Floy's settings. */
  readonly childEnvironment: Readonly<Record<string, string>>;
}

/** Reads the environment. `NO_COLOR` as on https://no-color.org. */
export function readConfig(): DemoConfig {
  const { env } = process;
  const live = isatty(1) && env['TERM'] !== 'dumb';
  return {
    home: env['FLOY_HOME'] || undefined,
    searchPath: env['PATH'] ?? '',
    live,
    colour: live && !env['NO_COLOR'],
    childEnvironment: Object.fromEntries(
      Object.entries(env).filter(
        (pair): pair is [string, string] => pair[1] !== undefined && !/^(FLOY|npm)_/i.test(pair[0]),
      ),
    ),
  };
}

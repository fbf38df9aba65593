import type { Figure } from './figure.js';

/** What a bench is given by the program that runs it. */
export interface BenchRun {
  /** A folder of its own, gone afterwards. */
  readonly folder: string;
  /** How often each thing is measured, after the warm-up. */
  readonly runs: number;
  /** How many hosts there are, where a bench is about many. */
  readonly hosts: number;
  /** Words for the Node of the measured Floy, to look into it: `--cpu-prof`, `--cpu-prof-dir=…`. */
  readonly nodeOptions: readonly string[];
  /** Registers what has to be ended; the last one first, also when the run is broken off. */
  onEnd(close: () => Promise<unknown>): void;
  /** For people who watch; never part of the output. */
  say(line: string): void;
}

/** What a bench measured. */
export interface BenchReport {
  readonly figures: readonly Figure[];
  /** What explains the figures to people: versions, a profile. */
  readonly notes: readonly string[];
}

export type Bench = (run: BenchRun) => Promise<BenchReport>;

/** One measured number beside what it is measured against. */
export interface Figure {
  readonly bench: string;
  readonly figure: string;
  readonly value: number;
  readonly unit: 'ms' | 's' | 'MB';
  /** What the ratio is to: a floor measured in the same run, or a limit; empty for neither. */
  readonly against: string;
  /** `value` divided by what it is against; null where it is against nothing. */
  readonly ratio: number | null;
}

/** A value within a limit has a ratio of at most 1. */
export function withinLimit(
  bench: string,
  figure: string,
  value: number,
  limit: { readonly most: number; readonly unit: 'ms' | 's' | 'MB' },
): Figure {
  const against = `at most ${limit.most} ${limit.unit}`;
  return { bench, figure, value, unit: limit.unit, against, ratio: value / limit.most };
}

/** One JSON object per figure and line. */
export function asJsonLines(figures: readonly Figure[]): string {
  return figures
    .map((figure) =>
      JSON.stringify({
        ...figure,
        value: rounded(figure.value),
        ratio: figure.ratio === null ? null : rounded(figure.ratio),
      }),
    )
    .join('\n');
}

/** For people: a line per figure, numbers aligned. */
export function asTable(figures: readonly Figure[]): string {
  const rows = figures.map((each) => [
    each.bench,
    each.figure,
    `${rounded(each.value).toFixed(2)} ${each.unit}`,
    each.ratio === null ? '' : rounded(each.ratio).toFixed(2),
    each.against,
  ]);
  const all = [['bench', 'figure', 'value', 'ratio', 'against'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) =>
        column === 2 || column === 3
          ? cell.padStart(widths[column]!)
          : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => '-'.repeat(width)).join('  '), ...lines.slice(1)].join(
    '\n',
  );
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

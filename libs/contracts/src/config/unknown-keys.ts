import { configKeys } from './config-keys.js';

type Config = Readonly<Record<string, unknown>>;

const known = Object.keys(configKeys).map((name) => ({ name, plain: folded(name) }));

/** From so many letters on, two of them may be wrong where a key is taken for a misspelt one. */
const LONG = 8;

/** The keys of a config that Floy does not know: they are kept and do nothing. */
export function unknownKeys(config: Config): string[] {
  return Object.keys(config).filter((name) => !Object.hasOwn(configKeys, name));
}

/**
 * The known key that an unknown one was meant to be, or undefined: they differ by a letter that is
 * wrong, missing, too much or swapped with its neighbour, from eight letters on by two of these,
 * capitals and dashes left aside.
 */
export function keyMeantBy(name: string): string | undefined {
  // Nothing this long is a misspelt key, and a request may hold a megabyte of it.
  if (name.length > 100) return undefined;
  const plain = folded(name);
  const near =
    known.find((each) => isWithin(1, plain, each.plain)) ??
    known.find((each) => each.name.length >= LONG && isWithin(2, plain, each.plain));
  return near?.name;
}

/** `deployPath`, `Deploy-Path` and `deploy_path` are one. */
function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Whether so many single changes make one text of the other. */
function isWithin(changes: number, one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > changes) return false;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const [left, right] = [one.slice(same), other.slice(same)];
  if (left === right) return true;
  if (changes === 0) return false;
  const rest = changes - 1;
  const isSwapped = left.length > 1 && left[0] === right[1] && left[1] === right[0];
  return (
    isWithin(rest, left.slice(1), right) ||
    isWithin(rest, left, right.slice(1)) ||
    isWithin(rest, left.slice(1), right.slice(1)) ||
    (isSwapped && isWithin(rest, left.slice(2), right.slice(2)))
  );
}

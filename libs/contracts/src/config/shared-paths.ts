import { innerPath } from './key-kinds.js';
import { listOf, type ValueKind } from './value-kinds.js';

/** What stands beside `shared` in a deploy path, and is never meant by a path of a release. */
const OWN = ['releases', 'current'];
/** Each is compared with all before it. */
const MOST = 100;

const list = listOf(innerPath);

/** Paths of a release that outlive it: none twice, and none inside of another. */
export const sharedPaths: ValueKind<readonly string[]> = {
  schema: list.schema,
  read(value, path, report) {
    const paths = list.read(value, path, report);
    const problem = paths && sharedPathsProblem(paths);
    return problem === undefined ? paths : void report(path, problem);
  },
};

/** Why shared paths are refused, or undefined; both are named where it is two that do not go together. */
export function sharedPathsProblem(paths: readonly string[]): string | undefined {
  if (paths.length > MOST) return `must not be more than ${MOST}`;
  const before: string[] = [];
  for (const path of paths) {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const whole = `${parts.join('/')}/`;
    const said = JSON.stringify(path);
    if (OWN.includes(parts[0] ?? '') || parts.some((part) => part.startsWith('.floy'))) {
      return `${said} has a name of Floy's own`;
    }
    const other = before.find((each) => whole.startsWith(each) || each.startsWith(whole));
    if (other !== undefined) {
      const how = other === whole ? 'are the same' : 'lie one inside of the other';
      return `${JSON.stringify(other.slice(0, -1))} and ${said} ${how}`;
    }
    before.push(whole);
  }
  return undefined;
}

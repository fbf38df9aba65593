import { InvalidRequestError } from '@floy/domain';

/** Throws InvalidRequestError naming every field that has a reason to be refused. */
export function checkFields(reasons: Readonly<Record<string, string | undefined>>): void {
  const wrong = Object.entries(reasons).filter(([, reason]) => reason !== undefined);
  const [first] = wrong;
  if (first === undefined) return;
  throw new InvalidRequestError(
    `The body is invalid: ${first.join(' ')}`,
    Object.fromEntries(wrong),
  );
}

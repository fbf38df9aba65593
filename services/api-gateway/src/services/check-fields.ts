import { InvalidRequestError, textOfProblems } from '@floy/domain';

/**
 * Throws InvalidRequestError naming every field that has a reason to be refused; `hint` ends its
 * message.
 */
export function checkFields(
  reasons: Readonly<Record<string, string | undefined>>,
  hint?: string,
): void {
  const wrong = Object.entries(reasons).flatMap(([field, reason]) =>
    reason === undefined ? [] : [[field, reason] as const],
  );
  if (wrong.length === 0) return;
  const problems = Object.fromEntries(wrong);
  const end = hint === undefined ? '' : `. ${hint}`;
  throw new InvalidRequestError(`The body is invalid: ${textOfProblems(problems)}${end}`, problems);
}

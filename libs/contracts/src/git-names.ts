/** Why a tag is refused, or undefined: the rules of `git check-ref-format`, and no leading dash. */
export function gitTagProblem(tag: string): string | undefined {
  if (tag.length > 250) return 'must be at most 250 characters long';
  if (/[\0-\x20\x7f~^:?*[\\]/.test(tag)) return 'holds a character that a git tag cannot have';
  if (tag.startsWith('-')) return 'must not begin with a dash';
  const odd = tag.includes('..') || tag.includes('@{') || tag.includes('//') || tag === '@';
  if (odd || /^\/|\/$|\.$/.test(tag)) return 'is not a git tag';
  return tag.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'))
    ? 'is not a git tag'
    : undefined;
}

/** Why a commit is refused, or undefined: 4 to 64 hexadecimal digits. */
export function gitCommitProblem(commit: string): string | undefined {
  return /^[0-9a-fA-F]{4,64}$/.test(commit)
    ? undefined
    : 'must be a commit of 4 to 64 hexadecimal digits';
}

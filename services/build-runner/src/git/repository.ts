import { VerdictError } from '@floy/domain';

export type Transport = 'https' | 'ssh' | 'file';

/** Where to fetch from, in the form that is handed to git. */
export interface Repository {
  /** Holds no credentials, safe to show. */
  url: string;
  transport: Transport;
  /** The user named in an https address; tokens of some hosts need a certain one. */
  user?: string;
}

/**
 * Reads a version's repository: `https://…`, `ssh://…`, `git+ssh://…`, `user@host:path`,
 * `file:///…` or an absolute path. Throws `VerdictError` for anything else: git knows more
 * transports (`ext::`, `fd::`, `http`), and some of them run what they are given.
 */
export function parseRepository(text: string): Repository {
  const refuse = (why: string): never => {
    throw new VerdictError(`the repository ${JSON.stringify(withoutPassword(text))} ${why}`);
  };
  if (/[\p{Cc}\s]/u.test(text)) return refuse('holds spaces or control characters');
  if (text.startsWith('/')) return { url: text, transport: 'file' };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    const scp = /^(?:([A-Za-z0-9_][\w.-]*)@)?([A-Za-z0-9][\w.-]*):(?!:)([^:].*)$/.exec(text);
    if (!scp) return refuse('is no address git can fetch from: https, ssh or an absolute path');
    if (scp[3]?.startsWith('-')) return refuse('has a path that looks like an option');
    return { url: text, transport: 'ssh' };
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse('is no valid URL');
  }
  if (url.password !== '') return refuse('holds a password: set git_token instead');
  if (scheme === 'file') {
    if (url.host !== '') return refuse('names a host: a file address has three slashes');
    return { url: text, transport: 'file' };
  }
  // For ssh these become words of a command line.
  const words = [decoded(url.username), url.hostname, decoded(url.pathname).replace(/^\//, '')];
  if (words.some((word) => word.startsWith('-')))
    return refuse('has a part that looks like an option');
  if (url.hostname === '') return refuse('names no host');
  switch (scheme) {
    case 'https': {
      const user = decoded(url.username);
      url.username = '';
      return { url: url.href, transport: 'https', ...(user === '' ? {} : { user }) };
    }
    case 'ssh':
    case 'git+ssh':
    case 'ssh+git':
      return { url: text.replace(/^[^:]+/, 'ssh'), transport: 'ssh' };
    default:
      return refuse(`is reached by ${scheme}: only https, ssh and files are allowed`);
  }
}

/** The address without whatever stands between scheme and host. */
function withoutPassword(text: string): string {
  return text.replace(/^([^/@]*\/\/)[^/@]*@/, '$1');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A commit as git writes it, whole or abbreviated, in lower case; throws `VerdictError`. */
export function parseCommit(text: string): string {
  if (!/^[0-9a-f]{4,64}$/i.test(text)) {
    throw new VerdictError(`${JSON.stringify(text)} is no commit: expected 4 to 64 hex digits`);
  }
  return text.toLowerCase();
}

/** Whether the commit is written out, so that it can be asked for by name. */
export const isWholeCommit = (commit: string): boolean =>
  commit.length === 40 || commit.length === 64;

/** Whether git accepts this as the name of a tag (`git check-ref-format`), and no option. */
export function isTagName(tag: string): boolean {
  return (
    /^[^\p{Cc}\s~^:?*[\\]+$/u.test(tag) &&
    !/^[-/]|\/$|\.$|\/\/|\.\.|@\{|(^|\/)\.|\.lock(\/|$)|^@$/.test(tag)
  );
}

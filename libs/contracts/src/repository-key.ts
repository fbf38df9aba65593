import { withoutLeading, withoutTrailing } from './without-trailing.js';

const scp = /^(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/|:)([^\s]+)$/;
const schemes = ['https:', 'http:', 'ssh:', 'git+ssh:', 'file:'];

/**
 * The key by which repositories compare: host/owner/name in lower case, without scheme, user, port
 * and `.git`. A path on this machine compares by its path, as it is written.
 */
export function repositoryKey(repository: string): string {
  const text = repository.trim();
  if (text.startsWith('/')) return pathKey(text);
  const short = scp.exec(text);
  if (short !== null && !text.includes('://')) return hostKey(short[2]!, short[3]!);
  try {
    const url = new URL(text);
    if (url.protocol === 'file:') return pathKey(decodeURIComponent(url.pathname));
    return hostKey(url.hostname, url.pathname);
  } catch {
    return hostKey('', text);
  }
}

/** Why a repository is refused, or undefined. */
export function repositoryProblem(repository: string): string | undefined {
  if (/[\0-\x20\x7f]/.test(repository)) return 'must not hold spaces or control characters';
  if (repository.startsWith('/')) {
    return repository.split('/').includes('..') ? 'must not hold ..' : undefined;
  }
  const short = scp.exec(repository);
  if (short !== null && !repository.includes('://')) {
    const [, user = '', host = '', path = ''] = short;
    if (path.startsWith('-')) return 'must not begin its path with a dash';
    const [, port, rest] = /^(\d{1,5})\/(.*)$/.exec(path) ?? [];
    if (port === undefined) return undefined;
    const before = `ssh://${user === '' ? '' : `${user}@`}${host}`;
    return (
      `must not begin its path with a number, which reads like a port and is none: ` +
      `write ${before}:${port}/${rest} for the port, ${before}/${port}/${rest} for the folder`
    );
  }
  let url: URL;
  try {
    url = new URL(repository);
  } catch {
    return 'must be an https or ssh URL, user@host:path, or an absolute path';
  }
  if (!schemes.includes(url.protocol)) return `must not use ${url.protocol}`;
  if (url.password !== '') return 'must not hold a password: put it into config.git_token';
  if (/^https?:$/.test(url.protocol) && looksLikeToken(url.username)) {
    return 'must not hold a token: put it into config.git_token';
  }
  if (url.hostname.startsWith('-')) return 'must not begin its host with a dash';
  return url.pathname.length > 1 ? undefined : 'must name a repository';
}

function looksLikeToken(user: string): boolean {
  return user.length >= 30 || /^(gh[a-z]_|github_pat_|glpat-|x-token)/i.test(user);
}

function hostKey(host: string, path: string): string {
  const name = withoutSuffix(withoutLeading(path, '/'));
  return `${host}/${name}`.toLowerCase();
}

function pathKey(path: string): string {
  return withoutSuffix(path.replace(/\/+/g, '/'));
}

function withoutSuffix(path: string): string {
  return withoutTrailing(path, '/').replace(/\.git$/i, '');
}

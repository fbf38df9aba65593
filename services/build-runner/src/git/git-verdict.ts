import { CouldNotTellError, VerdictError, type FloyError } from '@floy/domain';
import type { Repository } from './repository.js';

// What git and its helpers print, in lower case. Either side of … has to stand in one line.
const REFUSED = [
  ...['authentication failed', 'could not read username', 'could not read password'],
  ...['permission denied (', 'http 401', 'http 403', 'returned error: 401', 'returned error: 403'],
  ...['invalid username or', 'load key …invalid', 'load key …error'],
];
const HOST_KEY = ['host key verification failed', 'remote host identification has changed'];
const NOT_THERE = [
  ...['repository …not found', 'does not appear to be a git repository', 'returned error: 404'],
  ...['does not exist', 'no such file or directory'],
  'project you were looking for could not be found',
];
const CERTIFICATE = ['certificate', 'ssl: no alternative'];
const UNREACHABLE = [
  ...['could not resolve host', 'connection refused', 'connection reset', 'connection closed'],
  ...['timed out', 'failed to connect', "couldn't connect", 'unable to access', 'early eof'],
  ...['rpc failed', 'network is unreachable', 'no route to host', 'name or service not known'],
  ...['temporary failure', 'kex_exchange', 'hung up unexpectedly', 'no space left'],
];
const ASK_FOR_ALL = [
  ...['unadvertised object', 'not our ref', "couldn't find remote ref", 'no such remote ref'],
  ...['does not support shallow', 'remote error: want '],
];

/**
 * What a failed fetch means. A refusal is a verdict, and so is a repository that is not there; a
 * server that cannot be reached may be there the next time. `output` holds no credentials.
 */
export function fetchVerdict(repository: Repository, output: string): FloyError {
  const where = repository.url;
  const said = lastLines(output);
  if (says(output, HOST_KEY)) {
    return new VerdictError(
      `the host key of ${where} is not the one it had before: if that is right, remove its line ` +
        `from the runner's known hosts (git said: ${said})`,
    );
  }
  if (says(output, REFUSED)) {
    const key = repository.transport === 'ssh' ? 'git_ssh_key' : 'git_token';
    return new VerdictError(
      `${where} refused access, or does not exist: it needs a ${key} that may read it (git said: ${said})`,
    );
  }
  if (says(output, CERTIFICATE)) {
    return new VerdictError(`the certificate of ${where} is not trusted (git said: ${said})`);
  }
  if (says(output, NOT_THERE)) {
    // Git knows it by another path, which would say nothing here.
    const why =
      repository.transport === 'file'
        ? ' that the build user can read: give it to everybody to read (chmod -R o+rX)'
        : ` (git said: ${said})`;
    return new VerdictError(`there is no git repository at ${where}${why}`);
  }
  if (says(output, UNREACHABLE)) {
    return new CouldNotTellError(`${where} could not be reached (git said: ${said})`);
  }
  return new CouldNotTellError(`git could not fetch from ${where}: ${said}`);
}

/** Whether a server only refused to be asked for a commit by name, or without its history. */
export function needsWholeFetch(output: string): boolean {
  return says(output, ASK_FOR_ALL);
}

/** Whether a line of the output holds one of these, whatever the case. */
function says(output: string, phrases: readonly string[]): boolean {
  const lines = output.toLowerCase().split('\n');
  return phrases.some((phrase) => {
    const [first = '', second = ''] = phrase.split('…');
    return lines.some((line) => {
      const at = line.indexOf(first);
      return at >= 0 && line.includes(second, at + first.length);
    });
  });
}

function lastLines(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !/^@+$/.test(line))
    .slice(-4)
    .join('; ')
    .slice(-600);
}

import { CouldNotTellError, VerdictError, type FloyError } from '@floy/domain';
import type { Repository } from './repository.js';

const REFUSED =
  /Authentication failed|could not read (Username|Password)|Permission denied \(|HTTP 40[13]|returned error: 40[13]|Invalid username or|Load key .*(invalid|error)/i;
const HOST_KEY = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i;
const NOT_THERE =
  /repository .*not found|does not appear to be a git repository|returned error: 404|does not exist|No such file or directory|project you were looking for could not be found/i;
const CERTIFICATE = /certificate|SSL: no alternative/i;
const UNREACHABLE =
  /Could not resolve host|Connection (refused|reset|closed|timed out)|timed out|Failed to connect|Couldn't connect|unable to access|early EOF|RPC failed|Network is unreachable|No route to host|Name or service not known|Temporary failure|kex_exchange|hung up unexpectedly|No space left/i;

/**
 * What a failed fetch means. A refusal is a verdict, and so is a repository that is not there; a
 * server that cannot be reached may be there the next time. `output` holds no credentials.
 */
export function fetchVerdict(repository: Repository, output: string): FloyError {
  const where = repository.url;
  const said = lastLines(output);
  if (HOST_KEY.test(output)) {
    return new VerdictError(
      `the host key of ${where} is not the one it had before: if that is right, remove its line ` +
        `from the runner's known hosts (git said: ${said})`,
    );
  }
  if (REFUSED.test(output)) {
    const key = repository.transport === 'ssh' ? 'git_ssh_key' : 'git_token';
    return new VerdictError(
      `${where} refused access, or does not exist: it needs a ${key} that may read it (git said: ${said})`,
    );
  }
  if (CERTIFICATE.test(output)) {
    return new VerdictError(`the certificate of ${where} is not trusted (git said: ${said})`);
  }
  if (NOT_THERE.test(output)) {
    const readable = repository.transport === 'file' ? ' that the build user can read' : '';
    return new VerdictError(
      `there is no git repository at ${where}${readable} (git said: ${said})`,
    );
  }
  if (UNREACHABLE.test(output)) {
    return new CouldNotTellError(`${where} could not be reached (git said: ${said})`);
  }
  return new CouldNotTellError(`git could not fetch from ${where}: ${said}`);
}

/** Whether a server only refused to be asked for a commit by name, or without its history. */
export function needsWholeFetch(output: string): boolean {
  return /unadvertised object|not our ref|couldn't find remote ref|does not support shallow|no such remote ref|upload-pack: not our|remote error: want /i.test(
    output,
  );
}

function lastLines(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !/^@+$/.test(line))
    .slice(-4)
    .join('; ')
    .slice(-600);
}

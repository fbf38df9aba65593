import type {
  CommandResult,
  PhysicalQuestion,
  QuestionAnswer,
  ServiceStatus,
} from '@floy/contracts';
import { ConflictError, FloyError, InvalidRequestError, messageOf } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { runOnHost } from '../rollout/run-on-host.js';
import { askedHosts, type AskedHost } from './asked-hosts.js';
import { restartCommandOn, serviceStatus } from './service-commands.js';
import { uploadArtifact } from './upload-artifact.js';
import { withTargets } from './with-targets.js';

/** The most of one host's output that an answer holds. Characters. */
const longestOutput = 64 * 1024;

/** Answers a live question. Never throws: a refusal or an unreachable host is an answer too. */
export async function answer(
  deps: DeployerDeps,
  environmentId: string,
  question: PhysicalQuestion,
  signal: AbortSignal,
): Promise<QuestionAnswer> {
  try {
    const asked = await askedHosts(deps, environmentId, question, signal);
    return { ok: true, value: await ask(deps, environmentId, question, asked, signal) };
  } catch (error) {
    if (!(error instanceof FloyError))
      deps.logger.error({ err: error, kind: question.kind }, 'A question failed');
    const refused =
      error instanceof InvalidRequestError
        ? 'invalid'
        : error instanceof ConflictError
          ? 'conflict'
          : 'unavailable';
    const details = error instanceof FloyError ? error.details : {};
    return { ok: false, refused, message: messageOf(error), details };
  }
}

async function ask(
  deps: DeployerDeps,
  environmentId: string,
  question: PhysicalQuestion,
  asked: AskedHost[],
  signal: AbortSignal,
): Promise<readonly (CommandResult | ServiceStatus)[]> {
  const { timeout } = question;
  switch (question.kind) {
    case 'service-status': {
      const of = { environmentId, applicationId: question.applicationId };
      return each(asked, (host) => serviceStatus(deps, host, of, timeout), unreachableService);
    }
    case 'restart-service': {
      const of = { environmentId, applicationId: question.applicationId };
      return withTargets(deps, of, asked, () =>
        each(
          asked,
          async (host) => run(deps, host, await restartCommandOn(deps, host, of), timeout),
          failedCommand,
        ),
      );
    }
    case 'run-command': {
      const { command } = question;
      const of = { environmentId, applicationId: null };
      return withTargets(deps, of, asked, () =>
        each(asked, (host) => run(deps, host, command, timeout), failedCommand),
      );
    }
    case 'upload-artifact': {
      const of = { environmentId, applicationId: question.applicationId };
      return withTargets(deps, of, asked, (targets) =>
        each(
          asked,
          (host) => uploadArtifact(deps, host, targets, question.sha256, signal),
          failedCommand,
        ),
      );
    }
  }
}

async function run(
  deps: DeployerDeps,
  asked: AskedHost,
  command: string,
  timeoutSeconds: number,
): Promise<CommandResult> {
  const { exitCode, stdout, stderr } = await runOnHost(deps.hosts, asked.reach, command, {
    timeoutSeconds,
  });
  const said = stderr.slice(-longestOutput);
  const error = exitCode === 0 ? said : said || `exited with ${exitCode}`;
  return { host: asked.name, success: exitCode === 0, output: stdout.slice(-longestOutput), error };
}

/** One answer per host, all at once; a host that cannot be asked does not spoil the others. */
function each<T>(
  asked: AskedHost[],
  act: (host: AskedHost) => Promise<T>,
  failed: (host: AskedHost, reason: string) => T,
): Promise<T[]> {
  return Promise.all(
    asked.map((host) =>
      act(host).catch((error: unknown) => {
        if (error instanceof InvalidRequestError || error instanceof ConflictError) throw error;
        return failed(host, messageOf(error));
      }),
    ),
  );
}

function failedCommand(asked: AskedHost, error: string): CommandResult {
  return { host: asked.name, success: false, output: '', error };
}

function unreachableService(asked: AskedHost, reason: string): ServiceStatus {
  return { host: asked.name, running: false, status: `unknown: ${reason}`, pid: 0, uptime: '' };
}

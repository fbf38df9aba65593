import type {
  CommandResult,
  PhysicalDeployer,
  PhysicalQuestion,
  QuestionAnswer,
  ServiceStatus,
} from '@floy/contracts';
import { accessTo } from '@floy/database/access';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import type { BegunQuestion } from '@floy/database/repositories/questions';
import { ConflictError, FloyError, InvalidRequestError, messageOf } from '@floy/domain';
import { redactorOf } from '@floy/managers/secrets-of';
import { createRedactor, type Redactor } from '@floy/secrets/redaction';
import { createPhysicalDeployer } from '../deployer.js';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { boundedText } from './bounded-text.js';

/**
 * Answers a live question. Never throws: a refusal or an unreachable host is an answer too. Secrets
 * are masked in all that hosts said.
 */
export async function answer(
  deps: DeployerDeps,
  { id, environmentId, question }: BegunQuestion,
  signal: AbortSignal,
): Promise<QuestionAnswer> {
  let redactor = createRedactor();
  try {
    const repository = createEnvironmentRepository(deps.database.knex, deps.sealer);
    const environment = await repository.getById(environmentId ?? '');
    redactor = await redactorOf(accessTo(deps.database), deps.sealer, environment);
    // Only kinds that the deployers table names for hosts are ever asked of this service.
    const asked = question as PhysicalQuestion;
    const timeoutSeconds = asked.timeout;
    const of =
      asked.kind === 'upload-artifact' && asked.applicationId !== null
        ? { applicationId: asked.applicationId }
        : {};
    const action = { id, environment, timeoutSeconds, signal, ...of };
    const value = await ask(createPhysicalDeployer(deps, action), asked);
    return { ok: true, value: value.map((each) => masked(each, redactor, value.length)) };
  } catch (error) {
    const message = redactor.redact(messageOf(error));
    if (!(error instanceof FloyError)) {
      deps.logger.error({ reason: message, kind: question.kind }, 'A question failed');
    }
    if (error instanceof InvalidRequestError) {
      return { ok: false, refused: 'invalid', message, details: error.details };
    }
    const refused = error instanceof ConflictError ? 'conflict' : 'unavailable';
    return { ok: false, refused, message, details: {} };
  }
}

function ask(
  deployer: PhysicalDeployer,
  question: PhysicalQuestion,
): Promise<readonly (CommandResult | ServiceStatus)[]> {
  const { hosts } = question;
  switch (question.kind) {
    case 'service-status':
      return deployer.checkServiceStatus(hosts, question.service);
    case 'restart-service':
      return deployer.restartService(hosts, question.service);
    case 'run-command':
      return deployer.executeCommand(hosts, question.command);
    case 'upload-artifact': {
      const { sha256 } = question;
      return deployer.uploadArtifact(hosts, { name: sha256, version: '', path: sha256, size: 0 });
    }
  }
}

/** Without secrets, and so much of each text that all answers together can be kept. */
function masked<T extends CommandResult | ServiceStatus>(
  answered: T,
  redactor: Redactor,
  hosts: number,
): T {
  const texts = Object.entries(answered).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' && name !== 'host' ? boundedText(value, redactor, hosts) : value,
  ]);
  return Object.fromEntries(texts) as T;
}

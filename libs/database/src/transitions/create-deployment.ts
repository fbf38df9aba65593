import { findDeployer, type Place } from '@floy/contracts';
import { ConflictError, InvalidRequestError, isAnswer, NotFoundError } from '@floy/domain';
import { newId } from '../ids.js';
import {
  placesOfService,
  refuseUnfitValues,
  valueProblemsOf,
  type OpenEnvironment,
  type ServiceAsked,
} from '../places.js';
import type { DeploymentRow, Origin } from '../rows.js';
import { builtRowsOf, changesOf, rowOf, rowsOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { refuseTakenPlaces } from './targets.js';

/** How long a deployment may stand in its environment's queue. Days. */
const pendingDays = 8;

export interface NewDeployment {
  versionId: string;
  applicationIds: readonly string[];
  environmentId: string;
  /** The owner of the token that asked, or the pusher. */
  createdBy: string;
  origin?: Origin;
  rollbackOf?: string;
  /** Also touches what is healthy on the very same release; without it not. */
  force?: boolean;
}

interface ApplicationRow {
  id: string;
  name: string;
  repository: string;
  repository_key: string;
  config: Record<string, unknown> & { requires?: string[] };
}

interface VersionRow {
  repository: string;
  repository_key: string;
  git_tag: string;
  git_commit: string;
  now: Date;
}

interface EnvironmentRow extends OpenEnvironment {
  is_active: boolean;
}

/**
 * Stores a wish: pending, queued in its environment, with the message that gets it started.
 *
 * Throws NotFoundError for what does not exist, ConflictError for an inactive environment,
 * InvalidRequestError for an application of another repository than the version's, and for a value
 * that a command of the application must not be given.
 */
export async function createDeployment(
  tx: Transaction,
  wish: NewDeployment,
): Promise<DeploymentRow> {
  const [version, environment, applications] = await tx.together(
    rowOf<VersionRow>(
      `SELECT repository, repository_key, git_tag, git_commit, now() FROM versions WHERE id = ?
       FOR KEY SHARE`,
      [wish.versionId],
    ),
    rowOf<EnvironmentRow>(
      'SELECT id, name, type, config, is_active FROM environments WHERE id = ? FOR KEY SHARE',
      [wish.environmentId],
    ),
    rowsOf<ApplicationRow>(
      `SELECT id, name, repository, repository_key, config FROM applications WHERE id = ANY(?)
       ORDER BY id FOR KEY SHARE`,
      [wish.applicationIds],
    ),
  );
  if (!version) throw notFound('version_id', 'version', wish.versionId);
  if (!environment) throw notFound('environment_id', 'environment', wish.environmentId);
  for (const [index, id] of wish.applicationIds.entries()) {
    const application = applications.find((row) => row.id === id);
    if (!application) throw notFound(`application_ids[${index}]`, 'application', id);
    if (application.repository_key !== version.repository_key) {
      throw new InvalidRequestError(
        `Application ${application.name} is of another repository than the version`,
        {
          [`application_ids[${index}]`]: `${application.repository} is not ${version.repository}`,
        },
      );
    }
  }
  if (!environment.is_active)
    throw new ConflictError(`Environment ${environment.name} is not active`);

  await refuseMissingRequirements(tx, wish.environmentId, applications);
  // A rollback runs the commands and values that were healthy there before.
  if (wish.origin !== 'rollback') refuseUnfit(tx, version, environment, applications);
  await refuseTaken(tx, version, environment, applications);

  const id = newId('dep');
  const deadline = pendingDeadline(version.now);
  const deployment = tx
    .build('deployments')
    .insert({
      id,
      version_id: wish.versionId,
      environment_id: wish.environmentId,
      origin: wish.origin ?? 'deployment',
      rollback_of: wish.rollbackOf ?? null,
      force: wish.force ?? false,
      created_by: wish.createdBy,
      deadline_at: deadline,
    })
    .returning('*');
  const [[row]] = await tx.together(
    builtRowsOf<DeploymentRow>(deployment),
    changesOf(
      `INSERT INTO deployment_applications (deployment_id, application_id, position)
       SELECT ?, application_id, position - 1
       FROM unnest(?::text[]) WITH ORDINALITY AS a(application_id, position)`,
      [id, wish.applicationIds],
    ),
  );
  if (!row) throw new Error('the deployment was not stored');
  tx.event({
    stream: id,
    type: 'deployment.created',
    subject: id,
    actor: wish.createdBy,
    data: {
      version_id: wish.versionId,
      environment_id: wish.environmentId,
      application_ids: [...wish.applicationIds],
    },
  });
  tx.send('start-deployment', { deployment_id: id });
  tx.send('advance-deployment', { deployment_id: id }, deadline);
  return row;
}

/** Until then a deployment that is queued now has to have begun. */
export function pendingDeadline(now: Date): Date {
  return new Date(now.getTime() + pendingDays * 86_400_000);
}

function notFound(field: string, what: string, id: string): NotFoundError {
  return new NotFoundError(`There is no ${what} ${id}`, { [field]: `no ${what} has the id ${id}` });
}

/** What an application requires is part of the deployment, or runs in the environment already. */
async function refuseMissingRequirements(
  tx: Transaction,
  environmentId: string,
  applications: ApplicationRow[],
): Promise<void> {
  for (const application of applications) {
    for (const name of application.config.requires ?? []) {
      if (applications.some((other) => other.name === name)) continue;
      const running = await tx.row(
        `SELECT 1 FROM targets t JOIN applications a ON a.id = t.application_id
         WHERE a.name = ? AND t.environment_id = ? AND t.last_good_release_id IS NOT NULL LIMIT 1`,
        [name, environmentId],
      );
      if (running) continue;
      throw new ConflictError(
        `Application ${application.name} requires ${name}, which does not run there`,
        {
          'config.requires': `${name} is neither part of the deployment nor running in the environment`,
        },
      );
    }
  }
}

/**
 * A tag, name or address that is not plain is refused where a command would be given it. The
 * admission asks again, because the settings may change until then.
 */
function refuseUnfit(
  tx: Transaction,
  version: VersionRow,
  environment: EnvironmentRow,
  applications: ApplicationRow[],
): void {
  if (!findDeployer(tx.deployers, environment.type)) return;
  for (const application of applications) {
    const asked = { environment, application, version };
    // A config that cannot be read is no value: the deployment itself says what is wrong with it.
    const problems = readable(() => valueProblemsOf(tx, asked)) ?? {};
    refuseUnfitValues(application.name, problems);
  }
}

/**
 * Two services that would live at the same place are refused, naming both. Settings that cannot be
 * read, and types without a deployer, are not this check's business: the deployment itself says so.
 */
async function refuseTaken(
  tx: Transaction,
  version: VersionRow,
  environment: EnvironmentRow,
  applications: ApplicationRow[],
): Promise<void> {
  const { type: kind, id: environmentId } = environment;
  if (!findDeployer(tx.deployers, kind)) return;
  const taken = new Map<string, string>();
  for (const application of applications) {
    const places = await readablePlaces(tx, { environment, application, version });
    for (const { key, label } of places) {
      const other = taken.get(key);
      if (other)
        throw new ConflictError(`${other} and ${application.name} would both live in ${label}`);
      taken.set(key, application.name);
    }
    await refuseTakenPlaces(tx, { kind, environmentId, applicationId: application.id }, places);
  }
}

async function readablePlaces(tx: Transaction, asked: ServiceAsked): Promise<readonly Place[]> {
  try {
    return (await placesOfService(tx, asked)).places;
  } catch (error) {
    if (isAnswer(error)) return [];
    throw error;
  }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAnswer(error)) return undefined;
    throw error;
  }
}

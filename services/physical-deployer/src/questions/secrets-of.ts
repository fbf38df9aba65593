import { secretTexts, type Environment } from '@floy/contracts';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import type { ReleaseRow } from '@floy/database/rows';
import { openSnapshot } from '@floy/database/snapshot';
import { createRedactor, type Redactor } from '@floy/secrets/redaction';
import type { DeployerDeps } from '../release/deployer-deps.js';

/**
 * Masks what hosts of an environment may know: today's secrets of the environment and of every
 * application that it has, and those that the releases there were made with.
 */
export async function redactorOf(deps: DeployerDeps, environment: Environment): Promise<Redactor> {
  const { database, sealer } = deps;
  const redactor = createRedactor();
  redactor.add(secretTexts(environment.config));
  const applications = (await database
    .knex('targets')
    .where({ environment_id: environment.id })
    .distinct('application_id')) as { application_id: string }[];
  const repository = createApplicationRepository(database.knex, sealer);
  for (const { application_id } of applications) {
    redactor.add(secretTexts((await repository.getById(application_id)).config));
  }
  const releases = (await database
    .knex('releases')
    .join('targets', (on) =>
      on
        .on('releases.id', 'targets.current_release_id')
        .orOn('releases.id', 'targets.last_good_release_id'),
    )
    .where('targets.environment_id', environment.id)
    .distinct('releases.id', 'releases.deployment_id', 'releases.snapshot')) as Pick<
    ReleaseRow,
    'deployment_id' | 'snapshot'
  >[];
  for (const { deployment_id, snapshot } of releases) {
    const opened = openSnapshot(sealer, deployment_id, snapshot);
    for (const { config } of [opened.environment, ...opened.applications]) {
      redactor.add(secretTexts(config));
    }
  }
  return redactor;
}

import { secretTexts, type Environment } from '@floy/contracts';
import type { Access } from '@floy/database/access';
import { knownOn } from '@floy/database/read-models/targets';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { openSnapshot } from '@floy/database/snapshot';
import { createRedactor, type Redactor } from '@floy/secrets/redaction';
import type { Sealer } from '@floy/secrets/sealing';

/**
 * Masks the secrets that hosts of an environment may know: today's of the environment and of every
 * application that it has, and those that the releases there were made with.
 */
export async function redactorOf(
  { knex, transact }: Access,
  sealer: Sealer,
  environment: Pick<Environment, 'id' | 'config'>,
): Promise<Redactor> {
  const redactor = createRedactor();
  redactor.add(secretTexts(environment.config));
  const known = await transact((tx) => knownOn(tx, environment.id));
  const repository = createApplicationRepository(knex, sealer);
  for (const id of known.applicationIds) {
    redactor.add(secretTexts((await repository.getById(id)).config));
  }
  for (const { deployment_id, snapshot } of known.snapshots) {
    const opened = openSnapshot(sealer, deployment_id, snapshot);
    for (const { config } of [opened.environment, ...opened.applications]) {
      redactor.add(secretTexts(config));
    }
  }
  return redactor;
}

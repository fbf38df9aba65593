import {
  buildEnvironment,
  buildValues,
  type TemplateValues,
  resolveBuildSettings,
  secretTexts,
  type BuildSettings,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { TaskRow } from '@floy/database/rows';
import { buildNamesOf, openSnapshot, type Snapshot } from '@floy/database/snapshot';
import { readTaskWork } from '@floy/database/transitions/task-work';
import { VerdictError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';

/** All that a build or test task needs to know. */
export interface TaskContext {
  task: TaskRow;
  applicationName: string;
  version: Snapshot['version'];
  /** Whether an earlier build has compared the version's commit with its tag. */
  tagCompared: boolean;
  settings: BuildSettings;
  /**
   * What is fetched, with the application's credentials: its own address, never the version's, which
   * a deployer wrote and which may name another server by the same key.
   */
  repository: string;
  /** What templates are filled with. */
  values: TemplateValues;
  /** `env` and `secrets` of the application, and what Floy says about the version. */
  environment: Record<string, string>;
  /** Everything that must not be printed. */
  secrets: string[];
}

/** Reads a task and the sealed snapshot of its deployment. */
export async function loadTask(
  database: Database,
  sealer: Sealer,
  taskId: string,
): Promise<TaskContext> {
  const rows = await database.transaction((tx) => readTaskWork(tx, taskId));
  if (!rows) throw new VerdictError(`There is no task ${taskId} any more`);
  const { task, deployment, tagCompared } = rows;
  const snapshot = openSnapshot(sealer, task.deployment_id, deployment.snapshot);
  const application = snapshot.applications.find(({ id }) => id === task.application_id);
  if (!application)
    throw new VerdictError(
      `The snapshot of deployment ${task.deployment_id} lacks its application`,
    );
  const { version, environment } = snapshot;
  const settings = resolveBuildSettings(environment.config, application.config);
  const names = buildNamesOf(snapshot, application);
  return {
    task,
    applicationName: application.name,
    version,
    tagCompared,
    settings,
    repository: application.repository,
    values: buildValues(names),
    environment: { ...buildEnvironment(settings, names), ...settings.secrets },
    secrets: [...secretTexts(environment.config), ...secretTexts(application.config)],
  };
}

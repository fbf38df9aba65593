import {
  fillTemplate,
  type TemplateValues,
  resolveBuildSettings,
  secretTexts,
  type BuildSettings,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { TaskRow } from '@floy/database/rows';
import { openSnapshot, type Snapshot } from '@floy/database/snapshot';
import { readTaskWork } from '@floy/database/transitions/task-work';
import { VerdictError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';

/** All that a build or test task needs to know. */
export interface TaskContext {
  task: TaskRow;
  applicationName: string;
  version: Snapshot['version'];
  settings: BuildSettings;
  /** What templates are filled with. */
  names: TemplateValues;
  /** `env` and `secrets` of the settings, and what Floy says about the version. */
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
  const { task, deployment } = rows;
  const snapshot = openSnapshot(sealer, task.deployment_id, deployment.snapshot);
  const application = snapshot.applications.find(({ id }) => id === task.application_id);
  if (!application)
    throw new VerdictError(
      `The snapshot of deployment ${task.deployment_id} lacks its application`,
    );
  const { version, environment } = snapshot;
  const settings = resolveBuildSettings(environment.config, application.config);
  const names = {
    git_tag: version.git_tag,
    git_commit: version.git_commit,
    version: version.git_tag,
    environment: environment.name,
    application: application.name,
    service: application.name,
  };
  const filled = Object.entries(settings.env).flatMap(([name, value]) => {
    // What names a host (`{{host}}`) has a meaning on hosts only.
    const known = templateIsKnown(value, names);
    return known ? [[name, fillTemplate(value, names, `env.${name}`)]] : [];
  });
  return {
    task,
    applicationName: application.name,
    version,
    settings,
    names,
    environment: {
      ...(Object.fromEntries(filled) as Record<string, string>),
      ...settings.secrets,
      FLOY_VERSION: version.git_tag,
      FLOY_COMMIT: version.git_commit,
      FLOY_APPLICATION: application.name,
    },
    secrets: [...secretTexts(environment.config), ...secretTexts(application.config)],
  };
}

function templateIsKnown(template: string, names: Record<string, string>): boolean {
  return [...template.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].every(([, name]) =>
    Object.hasOwn(names, name ?? ''),
  );
}

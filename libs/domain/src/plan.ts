import { InvalidRequestError } from './errors.js';
import type { TaskType } from './states.js';

/** An application of a deployment, as planning sees it. */
export interface PlanApplication {
  id: string;
  name: string;
  /** There is something to build or to pack before it can be deployed. */
  builds: boolean;
  tests: boolean;
  /** Names of applications that have to run before this one. */
  requires: readonly string[];
}

export interface PlannedTask {
  /** Unique within the plan; what `dependsOn` names. */
  key: string;
  applicationId: string;
  type: TaskType;
  dependsOn: string[];
}

/**
 * The tasks of a deployment in an order in which each stands behind what it depends on: build, then
 * test, then deploy; a deploy waits for the deploys of the applications that it `requires`, where
 * they are part of the same deployment. One that `reuses` earlier releases has deploy tasks only.
 *
 * Throws InvalidRequestError where `requires` runs in a circle.
 */
export function planTasks(
  applications: readonly PlanApplication[],
  { reuses }: { readonly reuses: boolean },
): PlannedTask[] {
  return requiredFirst(applications).flatMap((application) => {
    const chain: TaskType[] = [];
    if (!reuses && application.builds) chain.push('build');
    if (!reuses && application.tests) chain.push('test');
    chain.push('deploy');
    return chain.map((type, index): PlannedTask => {
      const before = chain[index - 1];
      const dependsOn = before ? [keyOf(application.id, before)] : [];
      if (type === 'deploy') {
        for (const name of application.requires) {
          const required = applications.find((other) => other.name === name);
          if (required && required !== application) dependsOn.push(keyOf(required.id, 'deploy'));
        }
      }
      return { key: keyOf(application.id, type), applicationId: application.id, type, dependsOn };
    });
  });
}

/** Applications, each behind those it requires; otherwise in the order given. */
export function requiredFirst(applications: readonly PlanApplication[]): PlanApplication[] {
  const ordered: PlanApplication[] = [];
  const visit = (application: PlanApplication, path: readonly string[]): void => {
    if (ordered.includes(application)) return;
    if (path.includes(application.name)) {
      const circle = [...path.slice(path.indexOf(application.name)), application.name].join(' → ');
      throw new InvalidRequestError(`The applications require each other in a circle: ${circle}`, {
        'config.requires': circle,
      });
    }
    for (const name of application.requires) {
      const required = applications.find((other) => other.name === name);
      if (required && required !== application) visit(required, [...path, application.name]);
    }
    ordered.push(application);
  };
  for (const application of applications) visit(application, []);
  return ordered;
}

function keyOf(applicationId: string, type: TaskType): string {
  return `${applicationId} ${type}`;
}

import { deployerOf, type PlaceNames, type ServicePlaces } from '@floy/contracts';
import { InvalidRequestError, textOfProblems } from '@floy/domain';
import { rowOf, type Statement } from './statement.js';
import type { Transaction } from './transaction.js';

type Config = Readonly<Record<string, unknown>>;

/** An environment as planning needs it: without its secrets. */
export interface OpenEnvironment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly config: Config;
}

/** A service: an application at a version in an environment, with the configs that count here. */
export interface ServiceAsked {
  readonly environment: OpenEnvironment;
  readonly application: { readonly id: string; readonly name: string; readonly config: Config };
  /** What templates of places may name. */
  readonly version: Pick<PlaceNames, 'git_tag' | 'git_commit'>;
}

/** Reads an environment as it is today, without its secrets. */
export function openEnvironmentOf(id: string): Statement<OpenEnvironment | undefined> {
  return rowOf('SELECT id, name, type, config FROM environments WHERE id = ?', [id]);
}

/**
 * Which places of a service there are: the one answer to that question, for whoever plans, refuses
 * or asks. They come from the config of the environment.
 *
 * Throws InvalidRequestError naming the key that is wrong, or the type that has no deployer.
 */
export async function placesOfService(
  tx: Pick<Transaction, 'deployers'>,
  asked: ServiceAsked,
): Promise<ServicePlaces> {
  const { environment, application } = asked;
  const { plan } = deployerOf(tx.deployers, environment.type);
  return plan.places(environment.config, application.config, namesOf(asked));
}

/**
 * Which values of a service its deployer must not be given: see `DeployerPlan.valueProblems`. Throws
 * InvalidRequestError where a config cannot be read, and for a type that has no deployer.
 */
export function valueProblemsOf(
  tx: Pick<Transaction, 'deployers'>,
  asked: ServiceAsked,
): Record<string, string> {
  const { environment, application } = asked;
  const { plan } = deployerOf(tx.deployers, environment.type);
  return plan.valueProblems(environment.config, application.config, namesOf(asked));
}

/** Throws InvalidRequestError naming key and value, if there is any problem. */
export function refuseUnfitValues(
  application: string,
  problems: Readonly<Record<string, string>>,
): void {
  if (Object.keys(problems).length === 0) return;
  throw new InvalidRequestError(
    `Application ${application}: ${textOfProblems(problems)}`,
    problems,
  );
}

function namesOf({ environment, application, version }: ServiceAsked): PlaceNames {
  return {
    git_tag: version.git_tag,
    git_commit: version.git_commit,
    environment: environment.name,
    application: application.name,
  };
}

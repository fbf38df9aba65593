import { InvalidRequestError } from '@floy/domain';
import type { MessageKind, MessagePayloads } from '../messages.js';

type Config = Readonly<Record<string, unknown>>;

/** The ids that a message about one instance of a release carries. */
export interface InstanceIds {
  readonly instance_id: string;
  readonly target_id: string;
  readonly deployment_id: string;
}

type KindsCarrying<P> = {
  [K in MessageKind]: MessagePayloads[K] extends P ? K : never;
}[MessageKind];

/** By which message a deployer is handed each kind of work; its service handles all of them. */
export interface DeployerMessages {
  readonly stage: KindsCarrying<InstanceIds>;
  readonly switch: KindsCarrying<InstanceIds>;
  readonly stop: KindsCarrying<InstanceIds>;
  /** Left out by a deployer that cannot look again at what it has switched. */
  readonly look?: KindsCarrying<InstanceIds>;
  readonly answer: KindsCarrying<{ question_id: string }>;
}

/** Where one instance of a service lives, as its deployer names it. */
export interface Place {
  /** Unique in the whole installation. */
  readonly instanceId: string;
  /** The same for the same place, however it was written: two services never share one. */
  readonly key: string;
  /** What the deployer itself reads later to find it. */
  readonly place: Readonly<Record<string, unknown>>;
  /** For people: `/srv/api on 10.0.0.1:22`. */
  readonly label: string;
}

/** The values that templates of a place may name, besides those of the place itself. */
export interface PlaceNames {
  readonly git_tag: string;
  readonly git_commit: string;
  readonly environment: string;
  readonly application: string;
}

/** A service of an environment and where it lives. */
export interface ServicePlaces {
  readonly service: string;
  readonly places: readonly Place[];
}

/** How a release goes to its instances; times are seconds. */
export interface Rollout {
  /** As the domain's `batchSizes` reads it. */
  readonly batchSize: string;
  readonly bakeSeconds: number;
  /** As the domain's `failureBudget` reads it. */
  readonly maxFailures: string;
  readonly approval: boolean;
  /** Whether it has to be approved by somebody who did not make the deployment. */
  readonly secondPerson: boolean;
  /** The first batch is one instance, on which something runs for all of them. */
  readonly runOnce: boolean;
  /** For the whole work on one instance. */
  readonly timeoutSeconds: number;
  readonly retryCount: number;
}

/** Planning for one kind of place: pure, and from configs only. */
export interface DeployerPlan {
  /** Whether instances are always given an artifact; else an image or a manifest may do. */
  readonly shipsArtifacts: boolean;
  /**
   * The places of an application in an environment, in their order. Needs no secret of either
   * config. Throws InvalidRequestError naming the key that is wrong.
   */
  places(environment: Config, application: Config, names: PlaceNames): ServicePlaces;
  /**
   * Field path → reason, for each value of these names that must not stand where a template of the
   * application or the environment puts it. Throws InvalidRequestError where a config cannot be read.
   */
  valueProblems(
    environment: Config,
    application: Config,
    names: PlaceNames,
  ): Record<string, string>;
  /** Throws InvalidRequestError naming the key that is wrong. */
  rollout(environment: Config, application: Config): Rollout;
  /** Throws InvalidRequestError where nobody could reach the environment as it is today. */
  checkConnection(environment: Config): void;
}

/** Who puts releases onto one kind of place. */
export interface DeployerRow {
  readonly messages: DeployerMessages;
  readonly plan: DeployerPlan;
  /** The live questions that it answers, and whether each changes something on its targets. */
  readonly questions: Readonly<Record<string, { readonly changes: boolean }>>;
}

/** The deployers of an installation by the type of environment, which is the `kind` of targets. */
export type Deployers = Readonly<Record<string, DeployerRow>>;

/** The deployer for a type of environment. Throws InvalidRequestError where there is none. */
export function deployerOf(deployers: Deployers, type: string): DeployerRow {
  const deployer = findDeployer(deployers, type);
  if (deployer !== undefined) return deployer;
  throw new InvalidRequestError(`This installation has no deployer for ${type} environments`, {
    type: `${type} has no deployer`,
  });
}

/** The deployer for a type of environment, or undefined. */
export function findDeployer(deployers: Deployers, type: string): DeployerRow | undefined {
  return Object.hasOwn(deployers, type) ? deployers[type] : undefined;
}

/** How a kind of message is carried out, and what it is about. */
export interface MessageDefinition {
  /** Who handles it. */
  readonly queue: string;
  /**
   * `short` handlers act in one transaction; `long` ones take the lease of the message's subject
   * and work outside of any; `once` ones are done when they begin, because an answer that comes too
   * late is worth nothing.
   */
  readonly work: 'short' | 'long' | 'once';
  /** The field of the payload whose id is the subject: the lease of long work, and how it is found. */
  readonly subject: string;
}

/** Definitions by kind. */
export type MessageCatalogue = Readonly<Record<string, MessageDefinition>>;

/** Ids by kind, and nothing else. */
export interface MessagePayloads {
  /** Admit it, or say what it waits for. */
  'start-deployment': { deployment_id: string };
  /** It is settled: wake what waits behind it, tell the world. */
  'deployment-ended': { deployment_id: string };
  /** Plan its tasks and hand out what is ready. */
  'start-workflow': { deployment_id: string };
  /** A bake, deadline or other timer of the deployment is due: fold it. */
  'advance-deployment': { deployment_id: string };
  /** Build or test. */
  'run-task': { task_id: string; deployment_id: string };
  'stage-instance': { instance_id: string; target_id: string; deployment_id: string };
  'switch-instance': { instance_id: string; target_id: string; deployment_id: string };
  /** Look whether what was switched there is still healthy. */
  'look-at-target': { instance_id: string; target_id: string; deployment_id: string };
  /** End whatever a lower epoch still runs on the target. */
  'stop-target': { instance_id: string; target_id: string; deployment_id: string };
  'answer-question': { question_id: string };
  /** Say at which commit a repository has a tag. */
  'resolve-tag': { question_id: string };
}

/**
 * Every message that services send each other. Kinds are wire names and never change, and neither
 * does the queue of one; N and N+1 of Floy read each other's messages. Commands are in the
 * imperative, facts in the past tense.
 */
export const messageCatalogue = {
  'start-deployment': { queue: 'deployment-manager', work: 'short', subject: 'deployment_id' },
  'deployment-ended': { queue: 'deployment-manager', work: 'short', subject: 'deployment_id' },
  'start-workflow': { queue: 'workflow-manager', work: 'short', subject: 'deployment_id' },
  'advance-deployment': { queue: 'workflow-manager', work: 'short', subject: 'deployment_id' },
  'run-task': { queue: 'build-runner', work: 'long', subject: 'task_id' },
  'stage-instance': { queue: 'physical-deployer', work: 'long', subject: 'target_id' },
  'switch-instance': { queue: 'physical-deployer', work: 'long', subject: 'target_id' },
  'look-at-target': { queue: 'physical-deployer', work: 'long', subject: 'target_id' },
  // Apart from the work that it ends: a cancel must not stand in line behind other releases.
  'stop-target': { queue: 'physical-stops', work: 'long', subject: 'target_id' },
  'answer-question': { queue: 'physical-questions', work: 'once', subject: 'question_id' },
  // Apart from builds: who asks is waiting.
  'resolve-tag': { queue: 'build-questions', work: 'once', subject: 'question_id' },
} as const satisfies {
  [K in keyof MessagePayloads]: MessageDefinition & { subject: keyof MessagePayloads[K] };
};

export type MessageKind = keyof MessagePayloads;
export type QueueName = (typeof messageCatalogue)[MessageKind]['queue'];
/** The kinds that a queue carries: its service must have a handler for each. */
export type KindsOf<Q extends QueueName> = {
  [K in MessageKind]: (typeof messageCatalogue)[K]['queue'] extends Q ? K : never;
}[MessageKind];

/** The id that a message is about. Throws TypeError where its kind or that id is missing. */
export function subjectOf(catalogue: MessageCatalogue, kind: string, payload: object): string {
  const field = catalogue[kind]?.subject ?? '';
  const subject = (payload as Record<string, unknown>)[field];
  if (typeof subject === 'string' && subject !== '') return subject;
  throw new TypeError(`a ${kind} message without a subject`);
}

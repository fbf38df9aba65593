/**
 * Every message that services send each other: payloads hold ids and nothing else. Kinds are wire
 * names and never change; N and N+1 of Floy read each other's messages. Commands are in the
 * imperative, facts in the past tense.
 *
 * `queue` is who handles it. `short` handlers act in one transaction; `long` ones take the lease of
 * the message's subject and work outside of any; `once` ones are done when they begin, because an
 * answer that comes too late is worth nothing.
 */
export const messageCatalogue = {
  'start-deployment': { queue: 'deployment-manager', work: 'short' },
  'deployment-ended': { queue: 'deployment-manager', work: 'short' },
  'start-workflow': { queue: 'workflow-manager', work: 'short' },
  'advance-deployment': { queue: 'workflow-manager', work: 'short' },
  'run-task': { queue: 'build-runner', work: 'long' },
  'stage-instance': { queue: 'physical-deployer', work: 'long' },
  'switch-instance': { queue: 'physical-deployer', work: 'long' },
  // Apart from the work that it ends: a cancel must not stand in line behind other releases.
  'stop-target': { queue: 'physical-stops', work: 'long' },
  'answer-question': { queue: 'physical-questions', work: 'once' },
} as const;

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
  /** End whatever a lower epoch still runs on the target. */
  'stop-target': { instance_id: string; target_id: string; deployment_id: string };
  'answer-question': { question_id: string };
}

export type MessageKind = keyof MessagePayloads & keyof typeof messageCatalogue;
export type QueueName = (typeof messageCatalogue)[MessageKind]['queue'];
/** The kinds that a queue carries: its service must have a handler for each. */
export type KindsOf<Q extends QueueName> = {
  [K in MessageKind]: (typeof messageCatalogue)[K]['queue'] extends Q ? K : never;
}[MessageKind];

/** What the message is about: the lease that a long handler takes, and what it is found by. */
export function subjectOf<K extends MessageKind>(kind: K, payload: MessagePayloads[K]): string {
  const ids = payload as Record<string, string>;
  const subject =
    kind === 'run-task'
      ? ids['task_id']
      : (ids['target_id'] ?? ids['question_id'] ?? ids['deployment_id']);
  if (!subject) throw new TypeError(`a ${kind} message without a subject`);
  return subject;
}

import { Type, type Static, type TSchema } from 'typebox';
import type { Role } from './resources/token.js';
import { NullableText, Timestamp, Words } from './schema-words.js';
import { TaskType } from './resources/task.js';

/** What an event says beside its type, its subject and its actor. */
export interface EventDefinition {
  readonly meaning: string;
  readonly data: TSchema;
  /** The least role that may see it. */
  readonly role: Role;
}

const Nothing = Type.Object({});
const Failure = Type.Object({
  code: Words(['DEPLOYMENT_FAILED', 'TASK_FAILED']),
  message: Type.String(),
});
const OfInstance = { instance_id: Type.String() };
const Ended = Type.Object({ message: Type.String() });
const HostKeyData = Type.Object({
  host: Type.String(),
  port: Type.Integer(),
  fingerprint: Type.String(),
});
const TaskKind = Type.Object({ type: TaskType, undo_of: Type.Optional(Type.String()) });
/** What a build or test made; a deploy task makes nothing of this. */
const TaskMade = Type.Object({
  sha256: Type.Optional(Type.String()),
  image: Type.Optional(Type.String()),
  commit: Type.Optional(Type.String()),
  reused: Type.Optional(Type.Boolean()),
});

function event<T extends TSchema>(meaning: string, data: T, role: Role = 'viewer') {
  return { meaning, data, role };
}

/**
 * Every line that a history can hold, by its type: what has happened, in the past tense or as the
 * status that was reached. The subject is the id of what it happened to. A type never changes its
 * meaning, and its data only grows.
 */
export const eventCatalogue = {
  'deployment.created': event(
    'it was asked for',
    Type.Object({
      version_id: NullableText,
      environment_id: Type.String(),
      application_ids: Type.Array(Type.String()),
    }),
  ),
  'deployment.running': event('its turn has come, and its settings are fixed', Nothing),
  'deployment.waiting': event('it waits for this', Type.Object({ for: Type.String() })),
  'deployment.undoing': event('the targets that it touched are returned', Nothing),
  'deployment.success': event('every instance was seen healthy', Nothing),
  'deployment.failed': event('it has failed', Failure),
  'deployment.rolled_back': event(
    'what it had done was undone, or a later deployment rolled it back',
    Type.Object({
      code: Type.Optional(Failure.properties.code),
      message: Type.Optional(Type.String()),
      by: Type.Optional(Type.String()),
    }),
  ),
  'deployment.settled': event('every target has its verdict, and its slots are free', Nothing),
  'deployment.cancelled': event('somebody cancelled it', Nothing),
  'deployment.retried': event('it is queued again', Type.Object({ round: Type.Integer() })),
  'deployment.promoted': event('what is left is switched without bakes', Nothing),
  'deployment.paused': event('nothing new begins', Nothing),
  'deployment.resumed': event('it goes on', Nothing),
  'deployment.aborted': event('the rollout ends as failed', Nothing),
  'deployment.approved': event('the rollout may begin', Nothing),

  'task.created': event('it was planned', TaskKind),
  'task.pending': event('it is to run again', Type.Object({ retry: Type.Boolean() })),
  'task.scheduled': event('a worker may take it', TaskKind),
  'task.running': event('a worker has begun', TaskKind),
  'task.success': event('it has succeeded', TaskMade),
  'task.failed': event(
    'it has failed, or was never reached',
    Type.Object({ ...Failure.properties, not_run: Type.Optional(Type.Boolean()) }),
  ),

  'release.created': event(
    'it was planned: so many instances in batches of these sizes',
    Type.Object({
      task_id: Type.String(),
      instances: Type.Integer(),
      batches: Type.Array(Type.Integer()),
    }),
  ),
  'release.in_progress': event('a deployer has begun', Nothing),
  'release.batch_started': event('a batch is switched', Type.Object({ batch: Type.Integer() })),
  'release.baking': event('the next batch waits', Type.Object({ until: Timestamp })),
  'release.completed': event('it has succeeded', Ended),
  'release.failed': event('it has failed', Ended),
  'release.cancelled': event('it was cancelled', Ended),

  'instance.staging': event(
    'the release is brought beside what serves there',
    Type.Object({ ...OfInstance, release_id: Type.String() }),
  ),
  'instance.staged': event('the release is there', Type.Object(OfInstance)),
  'instance.switching': event(
    'the release becomes the running one',
    Type.Object({ ...OfInstance, release_id: Type.String() }),
  ),
  'instance.succeeded': event(
    'the release was seen healthy there; `untouched` where it had been healthy there already',
    Type.Object({ ...OfInstance, untouched: Type.Optional(Type.Boolean()) }),
  ),
  'instance.failed': event(
    'the release has failed there',
    Type.Object({ ...OfInstance, message: Type.String() }),
  ),
  'instance.sickened': event(
    'it had succeeded, but a later look did not find it healthy: it counts as failed',
    Type.Object({ ...OfInstance, message: Type.String() }),
  ),
  'instance.cancelled': event(
    'nothing more is done there for this release',
    Type.Object({ ...OfInstance, message: Type.String() }),
  ),
  'instance.stopped': event('the running step was ended there', Type.Object(OfInstance)),
  'instance.stop_failed': event(
    'a step may live on: the target could not be asked',
    Type.Object(OfInstance),
  ),
  'instance.settled': event(
    'the release has left the target like this',
    Type.Object({ ...OfInstance, verdict: Words(['untouched', 'reverted', 'new', 'unknown']) }),
  ),

  'host-key.pinned': event('the first key seen of a host was accepted', HostKeyData),
  'host-key.approved': event('an admin accepted the key of a host', HostKeyData),
} as const satisfies Record<string, EventDefinition>;

export type EventType = keyof typeof eventCatalogue;
/** The data of an event of that type. */
export type EventData<T extends EventType> = Static<(typeof eventCatalogue)[T]['data']>;

const rank: Record<Role, number> = { viewer: 1, deployer: 2, admin: 3 };

/** Whether a role reaches as far as the one that is needed. */
export function reaches(role: Role, needed: Role): boolean {
  return rank[role] >= rank[needed];
}

/** The types of events that somebody of this role may see. */
export function eventsFor(role: Role): EventType[] {
  const types = Object.keys(eventCatalogue) as EventType[];
  return types.filter((type) => reaches(role, eventCatalogue[type].role));
}

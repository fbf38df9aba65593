import { Type, type Static } from 'typebox';
import { Answer, Closed, Timestamp } from '../schema-words.js';

/** An immutable line of history. `seq` numbers the events of one deployment without gaps. */
export const Event = Answer('Event', {
  id: Type.String(),
  seq: Type.Integer(),
  /** The deployment, or another thing, whose history it belongs to. */
  stream: Type.String(),
  type: Type.String(),
  /** The thing that changed. */
  subject: Type.String(),
  actor: Type.String(),
  at: Timestamp,
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type Event = Static<typeof Event>;

export const ListEventsRequest = Closed(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 1000 })),
  },
  'ListEventsRequest',
);
export type ListEventsRequest = Static<typeof ListEventsRequest>;

export const EventListResponse = Answer('EventListResponse', { events: Type.Array(Event) });
export type EventListResponse = Static<typeof EventListResponse>;

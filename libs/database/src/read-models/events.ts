import { eventsFor, type Event, type Role } from '@floy/contracts';
import type { Knex } from 'knex';

interface EventRow extends Omit<Event, 'at'> {
  readonly at: Date;
}

/** The events of a stream behind number `after` that somebody of this role may see, oldest first. */
export async function readEvents(
  knex: Knex,
  stream: string,
  role: Role,
  after: number,
  limit: number,
): Promise<Event[]> {
  const rows = (await knex('events')
    .where({ stream })
    .where('seq', '>', after)
    .whereIn('type', eventsFor(role))
    .orderBy('seq')
    .limit(limit)
    .select('*')) as EventRow[];
  return rows.map((row) => ({
    id: row.id,
    seq: row.seq,
    stream: row.stream,
    type: row.type,
    subject: row.subject,
    actor: row.actor,
    at: row.at.toISOString(),
    data: row.data,
  }));
}

import type { AuditEntry, Listed, Page } from '@floy/contracts';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import { listed } from './find.js';

interface AuditRow extends Omit<AuditEntry, 'at'> {
  readonly at: Date;
}

/** Who did what to what, and how it was answered. */
export type AuditNote = Omit<AuditEntry, 'id' | 'at'>;

export interface AuditRepository {
  /** Written in the transaction of what it tells of. */
  note(entry: AuditNote): Promise<void>;
  list(filter: Page & { readonly actor?: string }): Promise<Listed<AuditEntry>>;
}

export function createAuditRepository(knex: Knex): AuditRepository {
  return {
    async note(entry) {
      await knex('audit').insert({ id: newId('aud'), ...entry });
    },
    list({ actor, ...page }) {
      const query = knex('audit').select('*');
      if (actor !== undefined) query.where({ actor });
      return listed(query, page, entryOf, 'at');
    },
  };
}

function entryOf(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    at: row.at.toISOString(),
    actor: row.actor,
    token_id: row.token_id,
    action: row.action,
    subject: row.subject,
    outcome: row.outcome,
    request_id: row.request_id,
  };
}

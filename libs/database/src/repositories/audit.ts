import type { AuditEntry, Listed, Page } from '@floy/contracts';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import type { Transaction } from '../transaction.js';
import { listed } from './find.js';

interface AuditRow extends Omit<AuditEntry, 'at'> {
  readonly at: Date;
}

/** Who did what to what, and how it was answered. */
export type AuditNote = Omit<AuditEntry, 'id' | 'at'>;

export interface AuditRepository {
  list(filter: Page & { readonly actor?: string }): Promise<Listed<AuditEntry>>;
}

/** Adds a line, with the last statements of the transaction of what it tells of. */
export function noteInAudit(tx: Transaction, note: AuditNote): void {
  const { actor, token_id, action, subject, outcome, request_id, data } = note;
  tx.atEnd(
    `INSERT INTO audit (id, actor, token_id, action, subject, outcome, request_id, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [newId('aud'), actor, token_id, action, subject, outcome, request_id, JSON.stringify(data)],
  );
}

export function createAuditRepository(knex: Knex): AuditRepository {
  return {
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
    data: row.data,
  };
}

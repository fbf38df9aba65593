import type { Listed, Page } from '@floy/contracts';
import { ConflictError, NotFoundError } from '@floy/domain';
import type { Knex } from 'knex';
import type { IdPrefix } from '../ids.js';

/** Whether a text has the shape of an id of this kind; anything else names nothing. */
export function isId(prefix: IdPrefix, id: string): boolean {
  return id.startsWith(`${prefix}_`) && /^[0-9a-z]{26}$/.test(id.slice(prefix.length + 1));
}

/** The row with that id, or NotFoundError. */
export function found<R>(row: R | undefined, what: string, id: string): R {
  if (row !== undefined) return row;
  throw new NotFoundError(`There is no ${what} ${id}`, { id: `no ${what} has this id` });
}

/** The only row with that id, or NotFoundError, also for what cannot be an id. */
export async function findById<R extends object>(
  query: Knex.QueryBuilder,
  prefix: IdPrefix,
  what: string,
  id: string,
): Promise<R> {
  const rows: R[] = isId(prefix, id) ? await query : [];
  return found(rows[0], what, id.slice(0, 100));
}

/** One page of a query, newest first, and how many rows there are on all pages. */
export async function listed<R, T>(
  query: Knex.QueryBuilder,
  { page, pageSize }: Page,
  map: (row: R) => T,
  newest = 'created_at',
): Promise<Listed<T>> {
  const [count] = (await query.clone().clearSelect().count({ total: '*' })) as { total: number }[];
  const total = Number(count?.total ?? 0);
  const offset = (page - 1) * pageSize;
  if (offset >= total) return { items: [], total };
  const order = [
    { column: newest, order: 'desc' },
    { column: 'id', order: 'desc' },
  ];
  const rows = (await query.orderBy(order).limit(pageSize).offset(offset)) as R[];
  return { items: rows.map(map), total };
}

/** Runs a statement; a breach of a constraint of that kind becomes a ConflictError. */
export async function refusing<T>(
  statement: PromiseLike<T>,
  conflict: {
    code: typeof duplicate | typeof referenced;
    message: string;
    details: Record<string, string>;
  },
): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== conflict.code) throw error;
    throw new ConflictError(conflict.message, conflict.details, { cause: error });
  }
}

/** A breach of UNIQUE. */
export const duplicate = '23505';
/** A breach of a foreign key. */
export const referenced = '23503';

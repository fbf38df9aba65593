import pg from 'pg';

/** What the connections of one pool have in common: which statements are worth preparing. */
export interface Statements {
  /** The name to prepare a text under, or undefined where it is sent as it is. */
  nameOf(text: string): string | undefined;
  /** Has every text prepared anew, on every connection, from its next use on. */
  renew(): void;
}

/** Before this it may be a text that is never seen again, such as an insert of so many rows. */
const usesBefore = 3;
/** Texts that are counted and, of these, kept by the server of every connection at most. */
const mostTexts = 1000;

export function createStatements(): Statements {
  const uses = new Map<string, { number: number; count: number }>();
  let generation = 0;
  return {
    nameOf(text) {
      let known = uses.get(text);
      if (known === undefined) {
        if (uses.size >= mostTexts) return undefined;
        known = { number: uses.size, count: 0 };
        uses.set(text, known);
      }
      known.count += 1;
      return known.count > usesBefore ? `floy_${generation}_${known.number}` : undefined;
    },
    renew() {
      generation += 1;
    },
  };
}

/** A statement with values, as knex hands it over. */
interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
}
type Done = (error: Error | null, result?: pg.QueryResult) => void;
type Query = (statement: string | Statement, done: Done) => unknown;
type Submit = (statement: string | Statement | pg.Query, done: Done) => unknown;

/**
 * Makes the client of a pool, which differs from that of `pg` in two ways. Statements that come
 * again are prepared: the server parses and plans them once per connection instead of every time.
 * And statements that are sent together (`Promise.all`) travel together, carried out in order, as do
 * BEGIN and what comes after it.
 *
 * A migration of a newer Floy may add columns to what is selected by a prepared statement of this
 * one; the server refuses its next use. Outside of a transaction it is sent again at once; in one,
 * the whole transaction has to be (see `isStalePlan`).
 */
export function createPreparedClient(statements: Statements): typeof pg.Client {
  return class PreparedClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super({
        ...(typeof config === 'string' ? { connectionString: config } : config),
        pipeline: true,
      });
      const submit = this.query.bind(this) as Submit;
      const send: Submit = (statement, done) => {
        const { stream } = this.connection;
        stream.cork();
        process.nextTick(() => stream.uncork());
        return submit(statement, done);
      };
      const query: Query = (statement, done) => {
        if (isBegin(statement)) return begin(statement, done);
        // Without values it may be several statements in one, which cannot be prepared.
        if (typeof statement === 'string' || !statement.values?.length)
          return send(statement, done);
        const name = statements.nameOf(statement.text);
        if (name === undefined) return send(statement, done);
        const answered: Done = (error, result) => {
          if (!isStalePlan(error)) return done(error, result);
          statements.renew();
          if (this.getTransactionStatus() !== 'I') return done(error, result);
          send(statement, done);
        };
        // Made here, since `pg` copies what it is given at the price of sending it.
        const prepared = new pg.Query(statement.text, [...statement.values], answered as never);
        return send(Object.assign(prepared, { name }), answered);
      };
      /** Goes with the first statement: whatever lets BEGIN fail lets that one fail too. */
      const begin: Query = (statement, done) => {
        const { stream } = this.connection;
        stream.cork();
        setImmediate(() => stream.uncork());
        submit(statement, () => undefined);
        done(null, { command: 'BEGIN', rows: [], fields: [], rowCount: null, oid: 0 });
      };
      this.query = query as typeof this.query;
    }
  };
}

function isBegin(statement: string | Statement): boolean {
  return (typeof statement === 'string' ? statement : statement.text) === 'BEGIN;';
}

/** "cached plan must not change result type": the schema has grown since it was prepared. */
export function isStalePlan(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as { code?: unknown; routine?: unknown };
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}

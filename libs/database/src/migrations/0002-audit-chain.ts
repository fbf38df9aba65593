import type { Knex } from 'knex';

/** Lines of the audit are numbered and sealed after their commit, each onto the one before it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(schema);
}

const schema = /* sql */ `
ALTER TABLE audit
  ADD COLUMN seq bigint,
  ADD COLUMN previous text,
  ADD COLUMN seal text;
CREATE UNIQUE INDEX audit_seq ON audit (seq);
CREATE INDEX audit_unsealed ON audit (at, id) WHERE seq IS NULL;

-- One row: where the chain ends. A line that is missing behind it was cut off.
CREATE TABLE audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq bigint NOT NULL,
  seal text NOT NULL
);
INSERT INTO audit_head (seq, seal) VALUES (0, '');
`;

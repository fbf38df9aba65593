import type { Knex } from 'knex';

/** Who may do what, what was done, and live questions to hosts. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(schema);
}

const schema = /* sql */ `
-- Live questions to a deployer: sealed request, sealed and bounded answer, deleted after a minute.
CREATE TABLE questions (
  id text PRIMARY KEY,
  kind text NOT NULL,
  environment_id text NOT NULL,
  target_id text,
  request bytea NOT NULL,
  answer bytea,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  answer_by timestamptz NOT NULL,
  begun_at timestamptz,
  answered_at timestamptz
);

CREATE TABLE host_keys (
  environment_id text NOT NULL REFERENCES environments ON DELETE CASCADE,
  host text NOT NULL,
  port integer NOT NULL,
  fingerprint text NOT NULL,
  pinned_by text NOT NULL,
  pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (environment_id, host, port)
);

CREATE TABLE tokens (
  id text PRIMARY KEY,
  name text NOT NULL,
  owner text NOT NULL,
  role text NOT NULL CHECK (role IN ('viewer', 'deployer', 'admin')),
  hash bytea NOT NULL UNIQUE,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

-- Browser sessions of the Bull Board, made from a token and ended with it.
CREATE TABLE sessions (
  hash bytea PRIMARY KEY,
  token_id text NOT NULL REFERENCES tokens ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);

CREATE TABLE idempotency_keys (
  token_id text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  status integer,
  location text,
  answer bytea,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (token_id, route, key)
);

CREATE TABLE audit (
  id text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  token_id text,
  action text NOT NULL,
  subject text NOT NULL DEFAULT '',
  outcome integer NOT NULL,
  request_id text NOT NULL DEFAULT '',
  data jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_newest ON audit (at DESC, id DESC);
`;

import type { Knex } from 'knex';

/** The schema. What a later migration may do is in CONTRIBUTING.md: N and N+1 run side by side. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(schema);
}

const schema = /* sql */ `
-- One row: who this installation is. Hosts and artifact stores carry the id, so that two
-- installations never act on the same target.
CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Every lease draws its epoch here. It starts at wall-clock milliseconds so that a later lease is
-- higher than any earlier one anywhere, also after a backup was restored (see raise_epoch).
CREATE SEQUENCE epochs AS bigint;
SELECT setval('epochs', (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

-- Two starts at once must not set the sequence back behind what the other has drawn since.
CREATE FUNCTION raise_epoch() RETURNS bigint LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtext('floy epochs'));
  SELECT setval('epochs', greatest(nextval('epochs'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
$$;

CREATE TABLE versions (
  id text PRIMARY KEY,
  git_tag text NOT NULL,
  git_commit text NOT NULL,
  repository text NOT NULL,
  repository_key text NOT NULL,
  created_by text NOT NULL,
  description text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When the tag was found at this commit, or by its first build nowhere: a tag may move later.
  tag_compared_at timestamptz,
  UNIQUE (repository_key, git_tag)
);
CREATE INDEX versions_newest ON versions (created_at DESC, id DESC);

CREATE TABLE applications (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  repository text NOT NULL,
  repository_key text NOT NULL,
  type text NOT NULL,
  config jsonb NOT NULL DEFAULT '{}',
  sealed_config bytea,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX applications_newest ON applications (created_at DESC, id DESC);

CREATE TABLE environments (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  type text NOT NULL,
  config jsonb NOT NULL DEFAULT '{}',
  sealed_config bytea,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX environments_newest ON environments (created_at DESC, id DESC);

-- The deployment's row is the one lock of everything below it (workflow, tasks, releases, instances).
CREATE TABLE deployments (
  id text PRIMARY KEY,
  -- Null where what is released is of no version that Floy knows.
  version_id text REFERENCES versions,
  environment_id text NOT NULL REFERENCES environments,
  -- What asked for it. Whatever changes targets is a deployment: one lock, slot, cancel and undo.
  origin text NOT NULL DEFAULT 'deployment' CHECK (origin IN
    ('deployment', 'rollback', 'release', 'instance-rollback', 'catch-up', 'webhook')),
  rollback_of text REFERENCES deployments,
  status text NOT NULL DEFAULT 'pending',
  phase text NOT NULL DEFAULT 'queued'
    CHECK (phase IN ('queued', 'forward', 'stopping', 'undoing', 'done')),
  auto_rollback boolean NOT NULL DEFAULT true,
  cancelled boolean NOT NULL DEFAULT false,
  rollback_on_cancel boolean NOT NULL DEFAULT true,
  paused_at timestamptz,
  approved boolean NOT NULL DEFAULT false,
  promoted boolean NOT NULL DEFAULT false,
  aborted boolean NOT NULL DEFAULT false,
  -- Who did each of these.
  cancelled_by text NOT NULL DEFAULT '',
  paused_by text NOT NULL DEFAULT '',
  approved_by text NOT NULL DEFAULT '',
  promoted_by text NOT NULL DEFAULT '',
  aborted_by text NOT NULL DEFAULT '',
  -- Hosts that are healthy on the very same release are switched and restarted all the same.
  force boolean NOT NULL DEFAULT false,
  -- Raised by a retry: releases and undo tasks of earlier rounds are history.
  round integer NOT NULL DEFAULT 1,
  snapshot bytea,
  created_by text NOT NULL,
  error_message text NOT NULL DEFAULT '',
  waiting_for text NOT NULL DEFAULT '',
  queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  settled_at timestamptz,
  deadline_at timestamptz,
  CHECK ((status IN ('success', 'failed', 'rolled_back')) = (completed_at IS NOT NULL))
);
CREATE INDEX deployments_newest ON deployments (created_at DESC, id DESC);
CREATE INDEX deployments_unsettled ON deployments (environment_id, queued_at) WHERE settled_at IS NULL;
CREATE INDEX deployments_waiting ON deployments (waiting_for) WHERE status = 'pending';
CREATE INDEX deployments_version ON deployments (version_id);
CREATE INDEX deployments_environment ON deployments (environment_id);

CREATE TABLE deployment_applications (
  deployment_id text NOT NULL REFERENCES deployments ON DELETE CASCADE,
  application_id text NOT NULL REFERENCES applications,
  position integer NOT NULL,
  PRIMARY KEY (deployment_id, application_id)
);
CREATE INDEX deployment_applications_application ON deployment_applications (application_id);

-- At most one unsettled deployment works on an application in an environment.
CREATE TABLE slots (
  application_id text NOT NULL REFERENCES applications,
  environment_id text NOT NULL REFERENCES environments,
  deployment_id text NOT NULL REFERENCES deployments,
  PRIMARY KEY (application_id, environment_id)
);
CREATE INDEX slots_deployment ON slots (deployment_id);

CREATE TABLE workflows (
  id text PRIMARY KEY,
  deployment_id text NOT NULL UNIQUE REFERENCES deployments,
  status text NOT NULL DEFAULT 'pending',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE tasks (
  id text PRIMARY KEY,
  deployment_id text NOT NULL REFERENCES deployments,
  workflow_id text NOT NULL REFERENCES workflows,
  application_id text NOT NULL REFERENCES applications,
  type text NOT NULL CHECK (type IN ('build', 'test', 'deploy')),
  status text NOT NULL DEFAULT 'pending',
  depends_on text[] NOT NULL DEFAULT '{}',
  undo_of text REFERENCES tasks,
  round integer NOT NULL DEFAULT 1,
  scheduled_at timestamptz,
  not_run boolean NOT NULL DEFAULT false,
  payload text NOT NULL DEFAULT '',
  result text NOT NULL DEFAULT '',
  error_message text NOT NULL DEFAULT '',
  -- What a build made.
  artifact_sha256 text,
  image text,
  commit text,
  -- A hash of what goes in: a retry repeats a finished build or test only where it is another one.
  inputs text NOT NULL DEFAULT '',
  -- What a deploy task makes its release from: ids, names and numbers, no secret.
  plan jsonb,
  timeout_seconds integer NOT NULL DEFAULT 1800,
  position integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  deadline_at timestamptz,
  CHECK ((status IN ('success', 'failed')) = (completed_at IS NOT NULL))
);
CREATE INDEX tasks_deployment ON tasks (deployment_id, position);
CREATE INDEX tasks_newest ON tasks (created_at DESC, id DESC);
CREATE INDEX tasks_undo_of ON tasks (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX tasks_application ON tasks (application_id);
CREATE INDEX tasks_waiting ON tasks (scheduled_at, position)
  WHERE status = 'pending' AND scheduled_at IS NOT NULL;

-- A place that one application in one environment has claimed, and what one worker at a time may act
-- on; outlives releases. Only its deployer knows what its place means. The claim ends with the
-- deployment that made it where nothing was switched there; the row stays for that history.
CREATE TABLE targets (
  id text PRIMARY KEY,
  kind text NOT NULL,
  place_key text NOT NULL,
  place jsonb NOT NULL,
  environment_id text NOT NULL REFERENCES environments ON DELETE CASCADE,
  application_id text NOT NULL REFERENCES applications ON DELETE CASCADE,
  instance_id text NOT NULL,
  claimed boolean NOT NULL DEFAULT true,
  current_release_id text,
  last_good_release_id text,
  -- When it was last seen, and what was asked then.
  observed_at timestamptz,
  asked text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX targets_place ON targets (kind, place_key) WHERE claimed;
CREATE UNIQUE INDEX targets_instance ON targets (instance_id) WHERE claimed;
CREATE INDEX targets_owner ON targets (environment_id, application_id);

-- One version of one service going to a set of instances. What it puts there is its content:
-- its own artifact, or (rollback, undo) that of an earlier release.
CREATE TABLE releases (
  id text PRIMARY KEY,
  deployment_id text NOT NULL REFERENCES deployments,
  task_id text NOT NULL REFERENCES tasks,
  application_id text NOT NULL REFERENCES applications,
  environment_id text NOT NULL REFERENCES environments,
  deployer text NOT NULL,
  version_id text REFERENCES versions,
  -- The label that people see.
  version text NOT NULL,
  service text NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  undo boolean NOT NULL DEFAULT false,
  round integer NOT NULL DEFAULT 1,
  artifact_sha256 text,
  image text,
  -- What a deployer put there, sealed, for those that render it.
  rendered bytea,
  -- The sealed snapshot of its deployment as it was then: what a rollback brings back.
  snapshot bytea,
  batches integer[] NOT NULL,
  bake_seconds integer NOT NULL DEFAULT 0,
  max_failures integer NOT NULL DEFAULT 0,
  approval boolean NOT NULL DEFAULT false,
  run_once boolean NOT NULL DEFAULT false,
  timeout_seconds integer NOT NULL,
  retry_count integer NOT NULL DEFAULT 3,
  bake_until timestamptz,
  -- Since its last switch, what was switched has been handed out to be looked at again.
  looked boolean NOT NULL DEFAULT false,
  advanced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The time that the files of what is put there are given, a whole second: later than that of any
  -- release of the service before, so that caches notice every change.
  files_at timestamptz NOT NULL DEFAULT date_trunc('second', clock_timestamp()),
  error_message text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz
);
CREATE INDEX releases_deployment ON releases (deployment_id);
CREATE INDEX releases_task ON releases (task_id);
CREATE INDEX releases_application ON releases (application_id, environment_id, files_at);
CREATE INDEX releases_version ON releases (version_id);
CREATE INDEX releases_service ON releases (environment_id, service);

CREATE TABLE release_instances (
  id text PRIMARY KEY,
  release_id text NOT NULL REFERENCES releases,
  deployment_id text NOT NULL REFERENCES deployments,
  target_id text NOT NULL REFERENCES targets ON DELETE CASCADE,
  content_release_id text NOT NULL REFERENCES releases,
  instance_id text NOT NULL,
  batch integer NOT NULL,
  position integer NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  step text NOT NULL DEFAULT '',
  failed_step text NOT NULL DEFAULT '',
  touched boolean NOT NULL DEFAULT false,
  verdict text CHECK (verdict IN ('untouched', 'reverted', 'new', 'unknown')),
  stopping boolean NOT NULL DEFAULT false,
  -- Its switch has succeeded, and it is being looked at again.
  looking boolean NOT NULL DEFAULT false,
  -- Its switch had succeeded, but then it was seen unhealthy: it counts as failed.
  sickened_at timestamptz,
  observed text CHECK (observed IN ('new', 'other')),
  observed_version text NOT NULL DEFAULT '',
  from_release_id text,
  attempts integer NOT NULL DEFAULT 0,
  error_message text NOT NULL DEFAULT '',
  -- While its target cannot be reached: why, and until when that is tried.
  unreachable text NOT NULL DEFAULT '',
  -- The first start of any work on it, and the latest.
  begun_at timestamptz,
  started_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz,
  deadline_at timestamptz,
  UNIQUE (release_id, target_id)
);
CREATE INDEX release_instances_deployment ON release_instances (deployment_id, position);
CREATE INDEX release_instances_target ON release_instances (target_id);
CREATE INDEX release_instances_content ON release_instances (content_release_id);

-- Which releases were healthy where: what can be rolled back to, and what pruning may not take.
CREATE TABLE healthy_releases (
  target_id text NOT NULL REFERENCES targets ON DELETE CASCADE,
  release_id text NOT NULL REFERENCES releases,
  healthy_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (target_id, release_id)
);
CREATE INDEX healthy_releases_release ON healthy_releases (release_id);

CREATE TABLE artifacts (
  sha256 text PRIMARY KEY,
  size bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The same application at the same commit with the same settings is not built again.
CREATE TABLE builds (
  build_key text PRIMARY KEY,
  application_id text NOT NULL REFERENCES applications ON DELETE CASCADE,
  artifact_sha256 text REFERENCES artifacts,
  image text,
  commit text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One worker's right to act now on a task or target, until a time.
CREATE TABLE leases (
  subject text PRIMARY KEY,
  epoch bigint NOT NULL,
  holder text,
  expires_at timestamptz
);
-- Asked four times a second by every process: whose leases are they.
CREATE INDEX leases_holder ON leases (holder) WHERE holder IS NOT NULL;

-- Outbox, inbox, timer and retry counter in one.
CREATE TABLE messages (
  id text PRIMARY KEY,
  kind text NOT NULL,
  subject text NOT NULL,
  payload jsonb NOT NULL,
  publish_at timestamptz NOT NULL,
  publishes integer NOT NULL DEFAULT 0,
  claims integer NOT NULL DEFAULT 0,
  errors integer NOT NULL DEFAULT 0,
  last_error text NOT NULL DEFAULT '',
  -- How often in a row it was given back because of an outage.
  outages integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When it was due, whatever the relay did to publish_at since.
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  done_at timestamptz
);
CREATE INDEX messages_due ON messages (publish_at) WHERE done_at IS NULL;
CREATE INDEX messages_subject ON messages (subject) WHERE done_at IS NULL;
CREATE INDEX messages_done ON messages (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE event_streams (
  stream text PRIMARY KEY,
  seq bigint NOT NULL DEFAULT 0
);

CREATE TABLE events (
  stream text NOT NULL,
  seq bigint NOT NULL,
  id text NOT NULL UNIQUE,
  type text NOT NULL,
  subject text NOT NULL,
  actor text NOT NULL DEFAULT '',
  data jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream, seq)
);

CREATE TABLE task_logs (
  task_id text NOT NULL REFERENCES tasks ON DELETE CASCADE,
  seq bigint NOT NULL,
  source text NOT NULL DEFAULT '',
  text text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (task_id, seq)
);

-- Live questions: sealed request, sealed and bounded answer, deleted after a minute. Those to a
-- deployer name an environment, those to a build-runner none.
CREATE TABLE questions (
  id text PRIMARY KEY,
  kind text NOT NULL,
  environment_id text,
  target_id text,
  request bytea NOT NULL,
  answer bytea,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  answer_by timestamptz NOT NULL,
  begun_at timestamptz,
  answered_at timestamptz
);

-- The key of a host is the same for the whole installation; the first environment that has seen it,
-- or for which it was approved, may be gone.
CREATE TABLE host_keys (
  environment_id text NOT NULL,
  host text NOT NULL,
  port integer NOT NULL,
  fingerprint text NOT NULL,
  pinned_by text NOT NULL,
  pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (host, port)
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

CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

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

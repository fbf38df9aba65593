-- The schema after all migrations. Made by `npm run generate`; changes by hand are lost.

CREATE SEQUENCE epochs AS bigint;

CREATE TABLE applications (
  id text NOT NULL,
  name text NOT NULL,
  repository text NOT NULL,
  repository_key text NOT NULL,
  type text NOT NULL,
  config jsonb NOT NULL DEFAULT '{}'::jsonb,
  sealed_config bytea,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT applications_pkey PRIMARY KEY (id),
  CONSTRAINT applications_name_key UNIQUE (name)
);

CREATE TABLE artifacts (
  sha256 text NOT NULL,
  size bigint NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT artifacts_pkey PRIMARY KEY (sha256)
);

CREATE TABLE audit (
  id text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  token_id text,
  action text NOT NULL,
  subject text NOT NULL DEFAULT ''::text,
  outcome integer NOT NULL,
  request_id text NOT NULL DEFAULT ''::text,
  data jsonb NOT NULL DEFAULT '{}'::jsonb,
  seq bigint,
  previous text,
  seal text,
  CONSTRAINT audit_pkey PRIMARY KEY (id)
);

CREATE TABLE audit_head (
  only_row boolean NOT NULL DEFAULT true,
  seq bigint NOT NULL,
  seal text NOT NULL,
  CONSTRAINT audit_head_pkey PRIMARY KEY (only_row),
  CONSTRAINT audit_head_only_row_check CHECK (only_row)
);

CREATE TABLE builds (
  build_key text NOT NULL,
  application_id text NOT NULL,
  artifact_sha256 text,
  image text,
  commit text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT builds_pkey PRIMARY KEY (build_key),
  CONSTRAINT builds_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id) ON DELETE CASCADE,
  CONSTRAINT builds_artifact_sha256_fkey FOREIGN KEY (artifact_sha256) REFERENCES artifacts(sha256)
);

CREATE TABLE deployment_applications (
  deployment_id text NOT NULL,
  application_id text NOT NULL,
  "position" integer NOT NULL,
  CONSTRAINT deployment_applications_pkey PRIMARY KEY (deployment_id, application_id),
  CONSTRAINT deployment_applications_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id),
  CONSTRAINT deployment_applications_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id) ON DELETE CASCADE
);

CREATE TABLE deployments (
  id text NOT NULL,
  version_id text,
  environment_id text NOT NULL,
  origin text NOT NULL DEFAULT 'deployment'::text,
  rollback_of text,
  status text NOT NULL DEFAULT 'pending'::text,
  phase text NOT NULL DEFAULT 'queued'::text,
  auto_rollback boolean NOT NULL DEFAULT true,
  cancelled boolean NOT NULL DEFAULT false,
  rollback_on_cancel boolean NOT NULL DEFAULT true,
  paused_at timestamp with time zone,
  approved boolean NOT NULL DEFAULT false,
  promoted boolean NOT NULL DEFAULT false,
  aborted boolean NOT NULL DEFAULT false,
  cancelled_by text NOT NULL DEFAULT ''::text,
  paused_by text NOT NULL DEFAULT ''::text,
  approved_by text NOT NULL DEFAULT ''::text,
  promoted_by text NOT NULL DEFAULT ''::text,
  aborted_by text NOT NULL DEFAULT ''::text,
  force boolean NOT NULL DEFAULT false,
  round integer NOT NULL DEFAULT 1,
  snapshot bytea,
  created_by text NOT NULL,
  error_message text NOT NULL DEFAULT ''::text,
  waiting_for text NOT NULL DEFAULT ''::text,
  queued_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  settled_at timestamp with time zone,
  deadline_at timestamp with time zone,
  CONSTRAINT deployments_pkey PRIMARY KEY (id),
  CONSTRAINT deployments_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT deployments_rollback_of_fkey FOREIGN KEY (rollback_of) REFERENCES deployments(id),
  CONSTRAINT deployments_version_id_fkey FOREIGN KEY (version_id) REFERENCES versions(id),
  CONSTRAINT deployments_check CHECK (((status = ANY (ARRAY['success'::text, 'failed'::text, 'rolled_back'::text])) = (completed_at IS NOT NULL))),
  CONSTRAINT deployments_origin_check CHECK ((origin = ANY (ARRAY['deployment'::text, 'rollback'::text, 'release'::text, 'instance-rollback'::text, 'catch-up'::text, 'webhook'::text]))),
  CONSTRAINT deployments_phase_check CHECK ((phase = ANY (ARRAY['queued'::text, 'forward'::text, 'stopping'::text, 'undoing'::text, 'done'::text])))
);

CREATE TABLE environments (
  id text NOT NULL,
  name text NOT NULL,
  type text NOT NULL,
  config jsonb NOT NULL DEFAULT '{}'::jsonb,
  sealed_config bytea,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT environments_pkey PRIMARY KEY (id),
  CONSTRAINT environments_name_key UNIQUE (name)
);

CREATE TABLE event_streams (
  stream text NOT NULL,
  seq bigint NOT NULL DEFAULT 0,
  CONSTRAINT event_streams_pkey PRIMARY KEY (stream)
);

CREATE TABLE events (
  stream text NOT NULL,
  seq bigint NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  subject text NOT NULL,
  actor text NOT NULL DEFAULT ''::text,
  data jsonb NOT NULL DEFAULT '{}'::jsonb,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT events_pkey PRIMARY KEY (stream, seq),
  CONSTRAINT events_id_key UNIQUE (id)
);

CREATE TABLE healthy_releases (
  target_id text NOT NULL,
  release_id text NOT NULL,
  healthy_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT healthy_releases_pkey PRIMARY KEY (target_id, release_id),
  CONSTRAINT healthy_releases_release_id_fkey FOREIGN KEY (release_id) REFERENCES releases(id),
  CONSTRAINT healthy_releases_target_id_fkey FOREIGN KEY (target_id) REFERENCES targets(id) ON DELETE CASCADE
);

CREATE TABLE host_keys (
  environment_id text NOT NULL,
  host text NOT NULL,
  port integer NOT NULL,
  fingerprint text NOT NULL,
  pinned_by text NOT NULL,
  pinned_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT host_keys_pkey PRIMARY KEY (host, port)
);

CREATE TABLE idempotency_keys (
  token_id text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  status integer,
  location text,
  answer bytea,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (token_id, route, key)
);

CREATE TABLE installation (
  only_row boolean NOT NULL DEFAULT true,
  id text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT installation_pkey PRIMARY KEY (only_row),
  CONSTRAINT installation_only_row_check CHECK (only_row)
);

CREATE TABLE leases (
  subject text NOT NULL,
  epoch bigint NOT NULL,
  holder text,
  expires_at timestamp with time zone,
  CONSTRAINT leases_pkey PRIMARY KEY (subject)
);

CREATE TABLE messages (
  id text NOT NULL,
  kind text NOT NULL,
  subject text NOT NULL,
  payload jsonb NOT NULL,
  publish_at timestamp with time zone NOT NULL,
  publishes integer NOT NULL DEFAULT 0,
  claims integer NOT NULL DEFAULT 0,
  errors integer NOT NULL DEFAULT 0,
  last_error text NOT NULL DEFAULT ''::text,
  outages integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  due_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  done_at timestamp with time zone,
  CONSTRAINT messages_pkey PRIMARY KEY (id)
);

CREATE TABLE questions (
  id text NOT NULL,
  kind text NOT NULL,
  environment_id text,
  target_id text,
  request bytea NOT NULL,
  answer bytea,
  asked_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  answer_by timestamp with time zone NOT NULL,
  begun_at timestamp with time zone,
  answered_at timestamp with time zone,
  CONSTRAINT questions_pkey PRIMARY KEY (id)
);

CREATE TABLE release_instances (
  id text NOT NULL,
  release_id text NOT NULL,
  deployment_id text NOT NULL,
  target_id text NOT NULL,
  content_release_id text NOT NULL,
  instance_id text NOT NULL,
  batch integer NOT NULL,
  "position" integer NOT NULL,
  status text NOT NULL DEFAULT 'pending'::text,
  step text NOT NULL DEFAULT ''::text,
  failed_step text NOT NULL DEFAULT ''::text,
  touched boolean NOT NULL DEFAULT false,
  verdict text,
  stopping boolean NOT NULL DEFAULT false,
  looking boolean NOT NULL DEFAULT false,
  sickened_at timestamp with time zone,
  observed text,
  observed_version text NOT NULL DEFAULT ''::text,
  from_release_id text,
  attempts integer NOT NULL DEFAULT 0,
  error_message text NOT NULL DEFAULT ''::text,
  unreachable text NOT NULL DEFAULT ''::text,
  begun_at timestamp with time zone,
  started_at timestamp with time zone,
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamp with time zone,
  deadline_at timestamp with time zone,
  CONSTRAINT release_instances_pkey PRIMARY KEY (id),
  CONSTRAINT release_instances_release_id_target_id_key UNIQUE (release_id, target_id),
  CONSTRAINT release_instances_content_release_id_fkey FOREIGN KEY (content_release_id) REFERENCES releases(id),
  CONSTRAINT release_instances_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id),
  CONSTRAINT release_instances_release_id_fkey FOREIGN KEY (release_id) REFERENCES releases(id),
  CONSTRAINT release_instances_target_id_fkey FOREIGN KEY (target_id) REFERENCES targets(id) ON DELETE CASCADE,
  CONSTRAINT release_instances_observed_check CHECK ((observed = ANY (ARRAY['new'::text, 'other'::text]))),
  CONSTRAINT release_instances_verdict_check CHECK ((verdict = ANY (ARRAY['untouched'::text, 'reverted'::text, 'new'::text, 'unknown'::text])))
);

CREATE TABLE releases (
  id text NOT NULL,
  deployment_id text NOT NULL,
  task_id text NOT NULL,
  application_id text NOT NULL,
  environment_id text NOT NULL,
  deployer text NOT NULL,
  version_id text,
  version text NOT NULL,
  service text NOT NULL,
  status text NOT NULL DEFAULT 'pending'::text,
  undo boolean NOT NULL DEFAULT false,
  round integer NOT NULL DEFAULT 1,
  artifact_sha256 text,
  image text,
  rendered bytea,
  snapshot bytea,
  batches integer[] NOT NULL,
  bake_seconds integer NOT NULL DEFAULT 0,
  max_failures integer NOT NULL DEFAULT 0,
  approval boolean NOT NULL DEFAULT false,
  run_once boolean NOT NULL DEFAULT false,
  timeout_seconds integer NOT NULL,
  retry_count integer NOT NULL DEFAULT 3,
  bake_until timestamp with time zone,
  looked boolean NOT NULL DEFAULT false,
  advanced_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  files_at timestamp with time zone NOT NULL DEFAULT date_trunc('second'::text, clock_timestamp()),
  error_message text NOT NULL DEFAULT ''::text,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamp with time zone,
  CONSTRAINT releases_pkey PRIMARY KEY (id),
  CONSTRAINT releases_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id),
  CONSTRAINT releases_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id),
  CONSTRAINT releases_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT releases_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id),
  CONSTRAINT releases_version_id_fkey FOREIGN KEY (version_id) REFERENCES versions(id)
);

CREATE TABLE sessions (
  hash bytea NOT NULL,
  token_id text NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (hash),
  CONSTRAINT sessions_token_id_fkey FOREIGN KEY (token_id) REFERENCES tokens(id) ON DELETE CASCADE
);

CREATE TABLE slots (
  application_id text NOT NULL,
  environment_id text NOT NULL,
  deployment_id text NOT NULL,
  CONSTRAINT slots_pkey PRIMARY KEY (application_id, environment_id),
  CONSTRAINT slots_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id),
  CONSTRAINT slots_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id),
  CONSTRAINT slots_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id)
);

CREATE TABLE targets (
  id text NOT NULL,
  kind text NOT NULL,
  place_key text NOT NULL,
  place jsonb NOT NULL,
  environment_id text NOT NULL,
  application_id text NOT NULL,
  instance_id text NOT NULL,
  claimed boolean NOT NULL DEFAULT true,
  current_release_id text,
  last_good_release_id text,
  observed_at timestamp with time zone,
  asked text NOT NULL DEFAULT ''::text,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT targets_pkey PRIMARY KEY (id),
  CONSTRAINT targets_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id) ON DELETE CASCADE,
  CONSTRAINT targets_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id) ON DELETE CASCADE
);

CREATE TABLE task_logs (
  task_id text NOT NULL,
  seq bigint NOT NULL,
  source text NOT NULL DEFAULT ''::text,
  text text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT task_logs_pkey PRIMARY KEY (task_id, seq),
  CONSTRAINT task_logs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);

CREATE TABLE tasks (
  id text NOT NULL,
  deployment_id text NOT NULL,
  workflow_id text NOT NULL,
  application_id text NOT NULL,
  type text NOT NULL,
  status text NOT NULL DEFAULT 'pending'::text,
  depends_on text[] NOT NULL DEFAULT '{}'::text[],
  undo_of text,
  round integer NOT NULL DEFAULT 1,
  scheduled_at timestamp with time zone,
  not_run boolean NOT NULL DEFAULT false,
  payload text NOT NULL DEFAULT ''::text,
  result text NOT NULL DEFAULT ''::text,
  error_message text NOT NULL DEFAULT ''::text,
  artifact_sha256 text,
  image text,
  commit text,
  inputs text NOT NULL DEFAULT ''::text,
  plan jsonb,
  timeout_seconds integer NOT NULL DEFAULT 1800,
  "position" integer NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  deadline_at timestamp with time zone,
  CONSTRAINT tasks_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_application_id_fkey FOREIGN KEY (application_id) REFERENCES applications(id),
  CONSTRAINT tasks_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id),
  CONSTRAINT tasks_undo_of_fkey FOREIGN KEY (undo_of) REFERENCES tasks(id),
  CONSTRAINT tasks_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows(id),
  CONSTRAINT tasks_check CHECK (((status = ANY (ARRAY['success'::text, 'failed'::text])) = (completed_at IS NOT NULL))),
  CONSTRAINT tasks_type_check CHECK ((type = ANY (ARRAY['build'::text, 'test'::text, 'deploy'::text])))
);

CREATE TABLE tokens (
  id text NOT NULL,
  name text NOT NULL,
  owner text NOT NULL,
  role text NOT NULL,
  hash bytea NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  CONSTRAINT tokens_pkey PRIMARY KEY (id),
  CONSTRAINT tokens_hash_key UNIQUE (hash),
  CONSTRAINT tokens_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'deployer'::text, 'admin'::text])))
);

CREATE TABLE versions (
  id text NOT NULL,
  git_tag text NOT NULL,
  git_commit text NOT NULL,
  repository text NOT NULL,
  repository_key text NOT NULL,
  created_by text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  tag_compared_at timestamp with time zone,
  CONSTRAINT versions_pkey PRIMARY KEY (id),
  CONSTRAINT versions_repository_key_git_tag_key UNIQUE (repository_key, git_tag)
);

CREATE TABLE workflows (
  id text NOT NULL,
  deployment_id text NOT NULL,
  status text NOT NULL DEFAULT 'pending'::text,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT workflows_pkey PRIMARY KEY (id),
  CONSTRAINT workflows_deployment_id_key UNIQUE (deployment_id),
  CONSTRAINT workflows_deployment_id_fkey FOREIGN KEY (deployment_id) REFERENCES deployments(id)
);

CREATE INDEX applications_newest ON public.applications USING btree (created_at DESC, id DESC);

CREATE INDEX audit_newest ON public.audit USING btree (at DESC, id DESC);

CREATE UNIQUE INDEX audit_seq ON public.audit USING btree (seq);

CREATE INDEX audit_unsealed ON public.audit USING btree (at, id) WHERE (seq IS NULL);

CREATE INDEX deployment_applications_application ON public.deployment_applications USING btree (application_id);

CREATE INDEX deployments_environment ON public.deployments USING btree (environment_id);

CREATE INDEX deployments_newest ON public.deployments USING btree (created_at DESC, id DESC);

CREATE INDEX deployments_unsettled ON public.deployments USING btree (environment_id, queued_at) WHERE (settled_at IS NULL);

CREATE INDEX deployments_version ON public.deployments USING btree (version_id);

CREATE INDEX deployments_waiting ON public.deployments USING btree (waiting_for) WHERE (status = 'pending'::text);

CREATE INDEX environments_newest ON public.environments USING btree (created_at DESC, id DESC);

CREATE INDEX healthy_releases_release ON public.healthy_releases USING btree (release_id);

CREATE INDEX idempotency_keys_created ON public.idempotency_keys USING btree (created_at);

CREATE INDEX leases_holder ON public.leases USING btree (holder) WHERE (holder IS NOT NULL);

CREATE INDEX messages_done ON public.messages USING btree (done_at) WHERE (done_at IS NOT NULL);

CREATE INDEX messages_due ON public.messages USING btree (publish_at) WHERE (done_at IS NULL);

CREATE INDEX messages_subject ON public.messages USING btree (subject) WHERE (done_at IS NULL);

CREATE INDEX release_instances_content ON public.release_instances USING btree (content_release_id);

CREATE INDEX release_instances_deployment ON public.release_instances USING btree (deployment_id, "position");

CREATE INDEX release_instances_target ON public.release_instances USING btree (target_id);

CREATE INDEX releases_application ON public.releases USING btree (application_id, environment_id, files_at);

CREATE INDEX releases_deployment ON public.releases USING btree (deployment_id);

CREATE INDEX releases_service ON public.releases USING btree (environment_id, service);

CREATE INDEX releases_task ON public.releases USING btree (task_id);

CREATE INDEX releases_version ON public.releases USING btree (version_id);

CREATE INDEX slots_deployment ON public.slots USING btree (deployment_id);

CREATE UNIQUE INDEX targets_instance ON public.targets USING btree (instance_id) WHERE claimed;

CREATE INDEX targets_owner ON public.targets USING btree (environment_id, application_id);

CREATE UNIQUE INDEX targets_place ON public.targets USING btree (kind, place_key) WHERE claimed;

CREATE INDEX tasks_application ON public.tasks USING btree (application_id);

CREATE INDEX tasks_deployment ON public.tasks USING btree (deployment_id, "position");

CREATE INDEX tasks_newest ON public.tasks USING btree (created_at DESC, id DESC);

CREATE INDEX tasks_undo_of ON public.tasks USING btree (undo_of) WHERE (undo_of IS NOT NULL);

CREATE INDEX tasks_waiting ON public.tasks USING btree (scheduled_at, "position") WHERE ((status = 'pending'::text) AND (scheduled_at IS NOT NULL));

CREATE INDEX versions_newest ON public.versions USING btree (created_at DESC, id DESC);

CREATE OR REPLACE FUNCTION public.check_deployment_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('pending', 'running', 'success', 'failed', 'rolled_back') THEN
      RAISE EXCEPTION 'unknown deployment status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ('pending>running', 'pending>failed', 'running>success', 'running>failed', 'running>rolled_back', 'success>rolled_back', 'failed>pending', 'rolled_back>pending') THEN
    RAISE EXCEPTION 'deployment % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.check_instance_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('pending', 'staging', 'staged', 'switching', 'succeeded', 'failed', 'cancelled') THEN
      RAISE EXCEPTION 'unknown instance status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ('pending>staging', 'pending>failed', 'pending>cancelled', 'staging>staged', 'staging>succeeded', 'staging>failed', 'staging>cancelled', 'staged>switching', 'staged>failed', 'staged>cancelled', 'switching>succeeded', 'switching>failed', 'switching>cancelled') THEN
    RAISE EXCEPTION 'instance % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.check_release_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled') THEN
      RAISE EXCEPTION 'unknown release status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ('pending>in_progress', 'pending>completed', 'pending>failed', 'pending>cancelled', 'in_progress>completed', 'in_progress>failed', 'in_progress>cancelled') THEN
    RAISE EXCEPTION 'release % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.check_task_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('pending', 'running', 'success', 'failed') THEN
      RAISE EXCEPTION 'unknown task status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ('pending>running', 'pending>success', 'pending>failed', 'running>success', 'running>failed', 'success>pending', 'failed>pending') THEN
    RAISE EXCEPTION 'task % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.check_workflow_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('pending', 'running', 'success', 'failed', 'cancelled') THEN
      RAISE EXCEPTION 'unknown workflow status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ('pending>running', 'pending>success', 'pending>failed', 'pending>cancelled', 'running>success', 'running>failed', 'running>cancelled', 'failed>pending', 'cancelled>pending') THEN
    RAISE EXCEPTION 'workflow % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.raise_epoch()
 RETURNS bigint
 LANGUAGE sql
AS $function$
  SELECT pg_advisory_xact_lock(hashtext('floy epochs'));
  SELECT setval('epochs', greatest(nextval('epochs'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
$function$;

CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON public.deployments FOR EACH ROW EXECUTE FUNCTION check_deployment_transition();

CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON public.release_instances FOR EACH ROW EXECUTE FUNCTION check_instance_transition();

CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON public.releases FOR EACH ROW EXECUTE FUNCTION check_release_transition();

CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON public.tasks FOR EACH ROW EXECUTE FUNCTION check_task_transition();

CREATE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON public.workflows FOR EACH ROW EXECUTE FUNCTION check_workflow_transition();

import type { Knex } from 'knex';

/** Releases with a command that runs once, and the indexes that look-ups and foreign keys lack. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(schema);
}

const schema = /* sql */ `
ALTER TABLE releases ADD COLUMN run_once boolean NOT NULL DEFAULT false;

CREATE INDEX tasks_undo_of ON tasks (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX tasks_application ON tasks (application_id);
CREATE INDEX releases_application ON releases (application_id, environment_id);
CREATE INDEX releases_version ON releases (version_id);
CREATE INDEX releases_service ON releases (environment_id, service);
CREATE INDEX release_instances_content ON release_instances (content_release_id);
CREATE INDEX healthy_releases_release ON healthy_releases (release_id);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- When a message was due, whatever the relay did to publish_at since, and how often in a row it was
-- given back because of an outage.
ALTER TABLE messages ADD COLUMN due_at timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE messages ADD COLUMN outages integer NOT NULL DEFAULT 0;
-- Asked four times a second by every process: whose leases are they.
CREATE INDEX leases_holder ON leases (holder) WHERE holder IS NOT NULL;

-- Two starts at once must not set the sequence back behind what the other has drawn since.
CREATE OR REPLACE FUNCTION raise_epoch() RETURNS bigint LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtext('floy epochs'));
  SELECT setval('epochs', greatest(nextval('epochs'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
$$;
`;

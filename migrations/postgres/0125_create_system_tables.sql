-- The DBOS system schema at version 125, as one step from nothing.
-- Libraries in other languages share these tables, so names, types, keys, defaults and
-- column order are given; nothing of our own may be added here (see own/).
-- Every *_at, *_ms and *_timestamp column holds milliseconds since 1970, UTC.

CREATE SCHEMA IF NOT EXISTS dbos;

CREATE TABLE dbos.dbos_migrations (
    version BIGINT PRIMARY KEY
);

-- Workflows -------------------------------------------------------------------------------------

CREATE TABLE dbos.workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    updated_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    application_version TEXT,
    application_id TEXT,
    class_name VARCHAR(255) DEFAULT NULL,
    config_name VARCHAR(255) DEFAULT NULL,
    recovery_attempts BIGINT DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms BIGINT,
    workflow_deadline_epoch_ms BIGINT,
    inputs TEXT,
    started_at_epoch_ms BIGINT,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    queue_partition_key TEXT,
    forked_from TEXT,
    owner_xid TEXT,
    parent_workflow_id TEXT,
    serialization TEXT,
    delay_until_epoch_ms BIGINT,
    was_forked_from BOOLEAN NOT NULL DEFAULT FALSE,
    rate_limited BOOLEAN NOT NULL DEFAULT FALSE,
    completed_at BIGINT,
    attributes JSONB,
    schedule_name TEXT,
    debounce_deadline_epoch_ms BIGINT,
    is_debounced BOOLEAN NOT NULL DEFAULT FALSE,
    application_name TEXT,
    creator_xid TEXT
);

CREATE INDEX workflow_status_created_at_index
    ON dbos.workflow_status (created_at);
CREATE INDEX idx_workflow_status_attributes
    ON dbos.workflow_status USING gin (attributes)
 WHERE attributes IS NOT NULL;
CREATE INDEX idx_workflow_status_completed_at
    ON dbos.workflow_status (completed_at)
 WHERE completed_at IS NOT NULL;
CREATE INDEX idx_workflow_status_deadline
    ON dbos.workflow_status (workflow_deadline_epoch_ms)
 WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED')
   AND workflow_deadline_epoch_ms IS NOT NULL;
CREATE INDEX idx_workflow_status_delayed
    ON dbos.workflow_status (delay_until_epoch_ms)
 WHERE status = 'DELAYED';
CREATE INDEX idx_workflow_status_failed
    ON dbos.workflow_status (status, created_at)
 WHERE status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX idx_workflow_status_forked_from
    ON dbos.workflow_status (forked_from)
 WHERE forked_from IS NOT NULL;
CREATE INDEX idx_workflow_status_in_flight_v2
    ON dbos.workflow_status (queue_name, status, priority, created_at)
       INCLUDE (application_name)
 WHERE status IN ('ENQUEUED', 'PENDING');
CREATE INDEX idx_workflow_status_parent_workflow_id
    ON dbos.workflow_status (parent_workflow_id)
 WHERE parent_workflow_id IS NOT NULL;
CREATE INDEX idx_workflow_status_partition_dequeue_v3
    ON dbos.workflow_status (queue_name, status, queue_partition_key, priority, created_at, workflow_uuid)
       INCLUDE (application_name)
 WHERE status IN ('ENQUEUED', 'PENDING')
   AND queue_partition_key IS NOT NULL;
CREATE INDEX idx_workflow_status_pending
    ON dbos.workflow_status (created_at)
 WHERE status = 'PENDING';
CREATE INDEX idx_workflow_status_rate_limited
    ON dbos.workflow_status (queue_name, started_at_epoch_ms)
 WHERE rate_limited = TRUE;
CREATE INDEX idx_workflow_status_schedule_name
    ON dbos.workflow_status (schedule_name)
 WHERE schedule_name IS NOT NULL;
CREATE INDEX idx_workflow_status_started_at
    ON dbos.workflow_status (started_at_epoch_ms)
 WHERE started_at_epoch_ms IS NOT NULL;
CREATE UNIQUE INDEX uq_workflow_status_dedup_id
    ON dbos.workflow_status (queue_name, deduplication_id)
 WHERE deduplication_id IS NOT NULL;

-- Inputs, outputs and steps have no foreign key: who deletes a workflow deletes them by hand.

CREATE TABLE dbos.workflow_input (
    workflow_uuid TEXT PRIMARY KEY,
    inputs TEXT,
    retention_timestamp BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT
);

CREATE INDEX idx_workflow_input_retention
    ON dbos.workflow_input (retention_timestamp);

CREATE TABLE dbos.workflow_output (
    workflow_uuid TEXT PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT
);

CREATE INDEX idx_workflow_output_retention
    ON dbos.workflow_output (retention_timestamp);

CREATE TABLE dbos.operation_outputs (
    workflow_uuid TEXT,
    function_id INTEGER,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms BIGINT,
    completed_at_epoch_ms BIGINT,
    serialization TEXT,
    application_name TEXT,
    retention_timestamp BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    PRIMARY KEY (workflow_uuid, function_id)
);

CREATE INDEX idx_operation_outputs_completed_at_function_name_v2
    ON dbos.operation_outputs (completed_at_epoch_ms, function_name)
       INCLUDE (application_name);
CREATE INDEX idx_operation_outputs_retention
    ON dbos.operation_outputs (retention_timestamp);

-- Messages, events and streams ------------------------------------------------------------------

CREATE TABLE dbos.notifications (
    message_uuid TEXT PRIMARY KEY DEFAULT gen_random_uuid(),
    destination_uuid TEXT NOT NULL
        REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    serialization TEXT,
    consumed BOOLEAN NOT NULL DEFAULT FALSE,
    consumed_by_function_id INTEGER
);

CREATE INDEX idx_workflow_topic
    ON dbos.notifications (destination_uuid, topic);

CREATE TABLE dbos.workflow_events (
    workflow_uuid TEXT
        REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE,
    key TEXT,
    value TEXT NOT NULL,
    serialization TEXT,
    PRIMARY KEY (workflow_uuid, key)
);

CREATE TABLE dbos.workflow_events_history (
    workflow_uuid TEXT
        REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE,
    function_id INTEGER,
    key TEXT,
    value TEXT NOT NULL,
    serialization TEXT,
    PRIMARY KEY (workflow_uuid, function_id, key)
);

CREATE TABLE dbos.streams (
    workflow_uuid TEXT
        REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE,
    key TEXT,
    value TEXT NOT NULL,
    "offset" INTEGER,
    function_id INTEGER NOT NULL DEFAULT 0,
    serialization TEXT,
    PRIMARY KEY (workflow_uuid, key, "offset")
);

-- Queues, schedules and versions ----------------------------------------------------------------

CREATE TABLE dbos.queues (
    queue_id TEXT PRIMARY KEY DEFAULT gen_random_uuid()::TEXT,
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec DOUBLE PRECISION,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec DOUBLE PRECISION NOT NULL DEFAULT 1.0,
    created_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    updated_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    application_name TEXT,
    partition_concurrency INTEGER,
    partition_worker_concurrency INTEGER,
    partition_rate_limit_max INTEGER,
    partition_rate_limit_period_sec DOUBLE PRECISION
);

CREATE TABLE dbos.workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL,
    last_fired_at TEXT,
    automatic_backfill BOOLEAN NOT NULL DEFAULT FALSE,
    cron_timezone TEXT,
    queue_name TEXT,
    application_name TEXT
);

CREATE TABLE dbos.application_versions (
    version_id TEXT PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    created_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    application_name TEXT
);

CREATE INDEX idx_application_versions_timestamp
    ON dbos.application_versions (version_timestamp DESC);
CREATE INDEX idx_application_versions_owner_timestamp
    ON dbos.application_versions (application_name, version_timestamp DESC);
CREATE UNIQUE INDEX uq_application_versions_owner_version
    ON dbos.application_versions (application_name, version_name)
 WHERE application_name IS NOT NULL;
CREATE UNIQUE INDEX uq_application_versions_unclaimed_version
    ON dbos.application_versions (version_name)
 WHERE application_name IS NULL;

CREATE TABLE dbos.event_dispatch_kv (
    service_name TEXT,
    workflow_fn_name TEXT,
    key TEXT,
    value TEXT,
    update_seq NUMERIC(38, 0),
    update_time NUMERIC(38, 15),
    PRIMARY KEY (service_name, workflow_fn_name, key)
);

-- What plain SQL may call -----------------------------------------------------------------------

-- Wakes whoever waits for a message. A payload beyond the limit of NOTIFY would undo the INSERT,
-- so it is left out: the receiver finds the message by its next poll.
CREATE FUNCTION dbos.notifications_function() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
AS $body$
DECLARE
    payload CONSTANT text := NEW.destination_uuid || '::' || NEW.topic;
BEGIN
    IF octet_length(payload) < 8000 THEN
        PERFORM pg_notify('dbos_notifications_channel', payload);
    END IF;
    RETURN NEW;
END
$body$;

CREATE TRIGGER dbos_notifications_trigger
    AFTER INSERT ON dbos.notifications
    FOR EACH ROW EXECUTE FUNCTION dbos.notifications_function();

-- Sends a message to a workflow. A message_id that was used before sends nothing.
CREATE FUNCTION dbos.send_message(
    destination_id text,
    message json,
    topic text DEFAULT NULL,
    message_id text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO dbos.notifications (message_uuid, destination_uuid, topic, message, serialization)
    VALUES (
        COALESCE(send_message.message_id, gen_random_uuid()::text),
        send_message.destination_id,
        COALESCE(send_message.topic, '__null__topic__'),
        COALESCE(send_message.message, 'null')::text,
        'portable_json'
    )
    ON CONFLICT (message_uuid) DO NOTHING;
EXCEPTION
    WHEN foreign_key_violation THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'DBOS non-existent workflow',
            DETAIL = format('There is no workflow %L to send a message to.', send_message.destination_id);
END
$body$;

-- Puts a workflow on a queue and returns its id. An id that is taken by the same workflow is left
-- as it is, so a caller may repeat the call until it hears the answer.
CREATE FUNCTION dbos.enqueue_workflow(
    workflow_name text,
    queue_name text,
    positional_args json[] DEFAULT ARRAY[]::json[],
    named_args json DEFAULT '{}'::json,
    class_name text DEFAULT NULL,
    config_name text DEFAULT NULL,
    workflow_id text DEFAULT NULL,
    app_version text DEFAULT NULL,
    timeout_ms bigint DEFAULT NULL,
    deadline_epoch_ms bigint DEFAULT NULL,
    deduplication_id text DEFAULT NULL,
    priority integer DEFAULT NULL,
    queue_partition_key text DEFAULT NULL,
    authenticated_user text DEFAULT NULL,
    authenticated_roles text DEFAULT NULL,
    delay_until_epoch_ms bigint DEFAULT NULL,
    application_name text DEFAULT NULL
) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO pg_catalog, pg_temp
AS $body$
DECLARE
    id CONSTANT text := COALESCE(enqueue_workflow.workflow_id, gen_random_uuid()::text);
    now_ms CONSTANT bigint := (EXTRACT(epoch FROM clock_timestamp()) * 1000.0)::bigint;
    existing record;
BEGIN
    IF COALESCE(enqueue_workflow.workflow_name, '') = '' OR COALESCE(enqueue_workflow.queue_name, '') = '' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'DBOS enqueue needs the name of a workflow and the name of a queue';
    END IF;

    BEGIN
        INSERT INTO dbos.workflow_status (
            workflow_uuid, status, name, class_name, config_name, queue_name,
            application_name, application_version, serialization, recovery_attempts, owner_xid,
            created_at, updated_at, workflow_timeout_ms, workflow_deadline_epoch_ms,
            deduplication_id, priority, queue_partition_key, delay_until_epoch_ms,
            authenticated_user, authenticated_roles
        )
        VALUES (
            id,
            CASE WHEN enqueue_workflow.delay_until_epoch_ms IS NULL THEN 'ENQUEUED' ELSE 'DELAYED' END,
            enqueue_workflow.workflow_name,
            enqueue_workflow.class_name,
            enqueue_workflow.config_name,
            enqueue_workflow.queue_name,
            enqueue_workflow.application_name,
            enqueue_workflow.app_version,
            'portable_json',
            0,
            gen_random_uuid()::text,
            now_ms,
            now_ms,
            enqueue_workflow.timeout_ms,
            enqueue_workflow.deadline_epoch_ms,
            enqueue_workflow.deduplication_id,
            COALESCE(enqueue_workflow.priority, 0),
            enqueue_workflow.queue_partition_key,
            enqueue_workflow.delay_until_epoch_ms,
            enqueue_workflow.authenticated_user,
            enqueue_workflow.authenticated_roles
        )
        ON CONFLICT (workflow_uuid) DO NOTHING;
    EXCEPTION
        WHEN unique_violation THEN
            RAISE unique_violation USING
                MESSAGE = 'DBOS queue duplicated',
                DETAIL = format(
                    'Queue %L already holds a workflow with deduplication id %L.',
                    enqueue_workflow.queue_name, enqueue_workflow.deduplication_id
                );
    END;

    IF NOT FOUND THEN
        SELECT status.name, COALESCE(status.class_name, '') AS class, COALESCE(status.config_name, '') AS config
          INTO existing
          FROM dbos.workflow_status AS status
         WHERE status.workflow_uuid = id;
        IF (existing.name, existing.class, existing.config) IS DISTINCT FROM (
            enqueue_workflow.workflow_name,
            COALESCE(enqueue_workflow.class_name, ''),
            COALESCE(enqueue_workflow.config_name, '')
        ) THEN
            RAISE invalid_parameter_value USING
                MESSAGE = 'DBOS conflicting workflow',
                DETAIL = format(
                    'Workflow id %L belongs to %L, not to %L.',
                    id, existing.name, enqueue_workflow.workflow_name
                );
        END IF;
        RETURN id;
    END IF;

    INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
    VALUES (
        id,
        json_build_object(
            'positionalArgs', enqueue_workflow.positional_args,
            'namedArgs', enqueue_workflow.named_args
        )::text,
        now_ms
    )
    ON CONFLICT (workflow_uuid) DO NOTHING;
    RETURN id;
END
$body$;

INSERT INTO dbos.dbos_migrations (version) VALUES (125);

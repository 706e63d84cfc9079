-- Brings tables that another library made at an earlier version so far that the step which makes
-- the tables of version 125 only has to add what is missing: tables, indexes and functions.
-- Each library had a history of its own up to version 99, so this asks for what is there, and not
-- for the version. Nothing that holds data goes, but for tables that no library reads any more.

-- Columns that came later ------------------------------------------------------------------------

ALTER TABLE IF EXISTS dbos.workflow_status
    ADD COLUMN IF NOT EXISTS created_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    ADD COLUMN IF NOT EXISTS updated_at BIGINT NOT NULL DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT,
    ADD COLUMN IF NOT EXISTS application_version TEXT,
    ADD COLUMN IF NOT EXISTS application_id TEXT,
    ADD COLUMN IF NOT EXISTS class_name VARCHAR(255) DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS config_name VARCHAR(255) DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS recovery_attempts BIGINT DEFAULT 0,
    ADD COLUMN IF NOT EXISTS queue_name TEXT,
    ADD COLUMN IF NOT EXISTS workflow_timeout_ms BIGINT,
    ADD COLUMN IF NOT EXISTS workflow_deadline_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS inputs TEXT,
    ADD COLUMN IF NOT EXISTS started_at_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS deduplication_id TEXT,
    ADD COLUMN IF NOT EXISTS priority INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS queue_partition_key TEXT,
    ADD COLUMN IF NOT EXISTS forked_from TEXT,
    ADD COLUMN IF NOT EXISTS owner_xid TEXT,
    ADD COLUMN IF NOT EXISTS parent_workflow_id TEXT,
    ADD COLUMN IF NOT EXISTS serialization TEXT,
    ADD COLUMN IF NOT EXISTS delay_until_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS was_forked_from BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS rate_limited BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS completed_at BIGINT,
    ADD COLUMN IF NOT EXISTS attributes JSONB,
    ADD COLUMN IF NOT EXISTS schedule_name TEXT,
    ADD COLUMN IF NOT EXISTS debounce_deadline_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS is_debounced BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS application_name TEXT,
    ADD COLUMN IF NOT EXISTS creator_xid TEXT;

ALTER TABLE IF EXISTS dbos.operation_outputs
    ADD COLUMN IF NOT EXISTS function_name TEXT NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS child_workflow_id TEXT,
    ADD COLUMN IF NOT EXISTS started_at_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS completed_at_epoch_ms BIGINT,
    ADD COLUMN IF NOT EXISTS serialization TEXT,
    ADD COLUMN IF NOT EXISTS application_name TEXT,
    ADD COLUMN IF NOT EXISTS retention_timestamp BIGINT NOT NULL
        DEFAULT (EXTRACT(epoch FROM now()) * 1000.0)::BIGINT;

ALTER TABLE IF EXISTS dbos.notifications
    ADD COLUMN IF NOT EXISTS message_uuid TEXT NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN IF NOT EXISTS serialization TEXT,
    ADD COLUMN IF NOT EXISTS consumed BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS consumed_by_function_id INTEGER;

ALTER TABLE IF EXISTS dbos.workflow_events
    ADD COLUMN IF NOT EXISTS serialization TEXT;

ALTER TABLE IF EXISTS dbos.workflow_events_history
    ADD COLUMN IF NOT EXISTS serialization TEXT;

ALTER TABLE IF EXISTS dbos.streams
    ADD COLUMN IF NOT EXISTS function_id INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS serialization TEXT;

ALTER TABLE IF EXISTS dbos.queues
    ADD COLUMN IF NOT EXISTS application_name TEXT,
    ADD COLUMN IF NOT EXISTS partition_concurrency INTEGER,
    ADD COLUMN IF NOT EXISTS partition_worker_concurrency INTEGER,
    ADD COLUMN IF NOT EXISTS partition_rate_limit_max INTEGER,
    ADD COLUMN IF NOT EXISTS partition_rate_limit_period_sec DOUBLE PRECISION;

ALTER TABLE IF EXISTS dbos.workflow_schedules
    ADD COLUMN IF NOT EXISTS last_fired_at TEXT,
    ADD COLUMN IF NOT EXISTS automatic_backfill BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS cron_timezone TEXT,
    ADD COLUMN IF NOT EXISTS queue_name TEXT,
    ADD COLUMN IF NOT EXISTS application_name TEXT;

ALTER TABLE IF EXISTS dbos.application_versions
    ADD COLUMN IF NOT EXISTS application_name TEXT;

-- Keys that changed ------------------------------------------------------------------------------

ALTER TABLE IF EXISTS dbos.workflow_status
    DROP CONSTRAINT IF EXISTS uq_workflow_status_queue_name_dedup_id;

ALTER TABLE IF EXISTS dbos.operation_outputs
    DROP CONSTRAINT IF EXISTS operation_outputs_workflow_uuid_foreign,
    DROP CONSTRAINT IF EXISTS operation_outputs_workflow_uuid_fkey;

DO $body$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass('dbos.notifications') AND contype = 'p'
    ) THEN
        ALTER TABLE IF EXISTS dbos.notifications ADD PRIMARY KEY (message_uuid);
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass('dbos.notifications') AND contype = 'f'
    ) THEN
        ALTER TABLE IF EXISTS dbos.notifications
            ADD CONSTRAINT notifications_destination_uuid_fkey FOREIGN KEY (destination_uuid)
                REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass('dbos.workflow_events') AND contype = 'f'
    ) THEN
        ALTER TABLE IF EXISTS dbos.workflow_events
            ADD CONSTRAINT workflow_events_workflow_uuid_fkey FOREIGN KEY (workflow_uuid)
                REFERENCES dbos.workflow_status (workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
    END IF;
END
$body$;

-- Indexes that others took the place of ----------------------------------------------------------

DROP INDEX IF EXISTS dbos.workflow_status_executor_id_index;
DROP INDEX IF EXISTS dbos.workflow_status_status_index;
DROP INDEX IF EXISTS dbos.idx_workflow_status_queue_status_started;
DROP INDEX IF EXISTS dbos.idx_workflow_status_in_flight;
DROP INDEX IF EXISTS dbos.idx_workflow_status_partition_dequeue;
DROP INDEX IF EXISTS dbos.idx_workflow_status_partition_dequeue_v2;
DROP INDEX IF EXISTS dbos.idx_operation_outputs_completed_at_function_name;
DROP INDEX IF EXISTS dbos.idx_notifications;

-- These kept their names, and became partial.
DROP INDEX IF EXISTS dbos.idx_workflow_status_forked_from;
DROP INDEX IF EXISTS dbos.idx_workflow_status_parent_workflow_id;

-- One that was being built when its migration was interrupted has its name, and is of no use.
DO $body$
DECLARE
    unfinished regclass;
BEGIN
    FOR unfinished IN
        SELECT indexrelid
          FROM pg_index
          JOIN pg_class ON pg_class.oid = indexrelid
         WHERE NOT indisvalid
           AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('dbos.dbos_migrations'))
    LOOP
        EXECUTE format('DROP INDEX %s', unfinished);
    END LOOP;
END
$body$;

-- Functions and triggers are made anew -----------------------------------------------------------

DO $body$
DECLARE
    known regprocedure;
    trigger record;
BEGIN
    FOR trigger IN
        SELECT tgname AS name, tgrelid::regclass AS of
          FROM pg_trigger
         WHERE tgrelid IN (to_regclass('dbos.notifications'), to_regclass('dbos.workflow_events'),
                           to_regclass('dbos.streams'))
           AND tgname IN ('dbos_notifications_trigger', 'dbos_workflow_events_trigger', 'dbos_streams_trigger')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger.name, trigger.of);
    END LOOP;
    FOR known IN
        SELECT oid
          FROM pg_proc
         WHERE pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('dbos.dbos_migrations'))
           AND proname IN ('enqueue_workflow', 'send_message', 'notifications_function', 'workflow_events_function',
                           'streams_function')
    LOOP
        EXECUTE format('DROP FUNCTION %s', known);
    END LOOP;
END
$body$;

-- Tables that no library reads any more ----------------------------------------------------------

DROP TABLE IF EXISTS dbos.workflow_inputs;
DROP TABLE IF EXISTS dbos.workflow_queue;
DROP TABLE IF EXISTS dbos.scheduler_state;

-- The next step writes its own.
DELETE FROM dbos.dbos_migrations;

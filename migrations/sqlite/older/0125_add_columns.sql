-- The columns that came after the first version of their tables. Each line is for a table that is
-- there and lacks the column: who runs this looks, as SQLite cannot be asked to.

ALTER TABLE workflow_status ADD COLUMN queue_partition_key TEXT;
ALTER TABLE workflow_status ADD COLUMN forked_from TEXT;
ALTER TABLE workflow_status ADD COLUMN owner_xid TEXT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN parent_workflow_id TEXT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN serialization TEXT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN delay_until_epoch_ms BIGINT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN was_forked_from BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workflow_status ADD COLUMN rate_limited BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workflow_status ADD COLUMN completed_at BIGINT;
ALTER TABLE workflow_status ADD COLUMN attributes TEXT;
ALTER TABLE workflow_status ADD COLUMN schedule_name TEXT;
ALTER TABLE workflow_status ADD COLUMN debounce_deadline_epoch_ms BIGINT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN is_debounced BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workflow_status ADD COLUMN application_name TEXT DEFAULT NULL;
ALTER TABLE workflow_status ADD COLUMN creator_xid TEXT DEFAULT NULL;

-- The last one gets its time, and is never NULL, where the table is made anew.
ALTER TABLE operation_outputs ADD COLUMN started_at_epoch_ms INTEGER;
ALTER TABLE operation_outputs ADD COLUMN completed_at_epoch_ms INTEGER;
ALTER TABLE operation_outputs ADD COLUMN serialization TEXT;
ALTER TABLE operation_outputs ADD COLUMN application_name TEXT DEFAULT NULL;
ALTER TABLE operation_outputs ADD COLUMN retention_timestamp INTEGER;

ALTER TABLE notifications ADD COLUMN serialization TEXT DEFAULT NULL;
ALTER TABLE notifications ADD COLUMN consumed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE notifications ADD COLUMN consumed_by_function_id INTEGER;

ALTER TABLE workflow_events ADD COLUMN serialization TEXT DEFAULT NULL;

ALTER TABLE workflow_events_history ADD COLUMN serialization TEXT DEFAULT NULL;

ALTER TABLE streams ADD COLUMN function_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN serialization TEXT DEFAULT NULL;

ALTER TABLE queues ADD COLUMN application_name TEXT DEFAULT NULL;
ALTER TABLE queues ADD COLUMN partition_concurrency INTEGER DEFAULT NULL;
ALTER TABLE queues ADD COLUMN partition_worker_concurrency INTEGER DEFAULT NULL;
ALTER TABLE queues ADD COLUMN partition_rate_limit_max INTEGER DEFAULT NULL;
ALTER TABLE queues ADD COLUMN partition_rate_limit_period_sec REAL DEFAULT NULL;

ALTER TABLE workflow_schedules ADD COLUMN last_fired_at TEXT DEFAULT NULL;
ALTER TABLE workflow_schedules ADD COLUMN automatic_backfill BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workflow_schedules ADD COLUMN cron_timezone TEXT DEFAULT NULL;
ALTER TABLE workflow_schedules ADD COLUMN queue_name TEXT DEFAULT NULL;
ALTER TABLE workflow_schedules ADD COLUMN application_name TEXT DEFAULT NULL;

ALTER TABLE application_versions ADD COLUMN application_name TEXT DEFAULT NULL;

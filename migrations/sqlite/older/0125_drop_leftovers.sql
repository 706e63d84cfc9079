-- What is in the way of the step that makes the tables of version 125, which then only has to add the tables and
-- indexes that are missing.

-- Indexes that others took the place of.
DROP INDEX IF EXISTS workflow_status_executor_id_index;
DROP INDEX IF EXISTS workflow_status_status_index;
DROP INDEX IF EXISTS uq_workflow_status_queue_name_dedup_id;
DROP INDEX IF EXISTS idx_workflow_status_queue_status_started;
DROP INDEX IF EXISTS idx_workflow_status_in_flight;
DROP INDEX IF EXISTS idx_workflow_status_partition_dequeue;
DROP INDEX IF EXISTS idx_workflow_status_partition_dequeue_v2;
DROP INDEX IF EXISTS idx_operation_outputs_completed_at_function_name;
DROP INDEX IF EXISTS idx_notifications;

-- These kept their names, and became partial.
DROP INDEX IF EXISTS idx_workflow_status_forked_from;
DROP INDEX IF EXISTS idx_workflow_status_parent_workflow_id;

-- The next step writes its own.
DELETE FROM dbos_migrations;

-- Steps without the foreign key that they had to their workflow. It cannot be dropped from a table, so this makes the
-- table anew, where it has one. The columns are there already.

CREATE TABLE operation_outputs_without_key (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);

INSERT INTO operation_outputs_without_key
       (workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
        completed_at_epoch_ms, serialization, application_name, retention_timestamp)
SELECT workflow_uuid, function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms,
       completed_at_epoch_ms, serialization, application_name,
       COALESCE(retention_timestamp, strftime('%s','now') * 1000)
  FROM operation_outputs;

DROP TABLE operation_outputs;
ALTER TABLE operation_outputs_without_key RENAME TO operation_outputs;

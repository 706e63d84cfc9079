-- Queues that nothing leaves until they are resumed.
CREATE TABLE dbos_rust.paused_queues (
    name TEXT PRIMARY KEY,
    paused_at_ms BIGINT NOT NULL
);

-- The queue that a workflow left because it was cancelled or set aside: where it goes when it is
-- resumed. The shared tables forget it.
CREATE TABLE dbos_rust.left_queues (
    workflow_id TEXT PRIMARY KEY,
    queue_name TEXT NOT NULL
);

INSERT INTO dbos_rust.migrations (version) VALUES (2);

-- Queues that nothing leaves until they are resumed.
CREATE TABLE dbos_rust_paused_queues (
    name TEXT NOT NULL PRIMARY KEY,
    paused_at_ms INTEGER NOT NULL
);

-- The queue that a workflow left because it was cancelled or set aside: where it goes when it is
-- resumed. The shared tables forget it.
CREATE TABLE dbos_rust_left_queues (
    workflow_id TEXT NOT NULL PRIMARY KEY,
    queue_name TEXT NOT NULL
);

INSERT INTO dbos_rust_migrations (version) VALUES (2);

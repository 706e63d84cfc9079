-- What DBOS for Rust keeps for itself, beside the tables it shares with other languages.

CREATE TABLE dbos_rust_migrations (
    version INTEGER NOT NULL PRIMARY KEY
);

-- One row per running process. On SQLite the lock on lock_path alone tells whether it lives.
CREATE TABLE dbos_rust_executors (
    executor_id TEXT NOT NULL PRIMARY KEY,
    application_name TEXT NOT NULL,
    boot_id TEXT,
    lock_path TEXT,
    expires_at_ms INTEGER NOT NULL
);

-- The source hash of every workflow of an application version: an executor may claim a run
-- whenever its own hash of that one workflow is the same.
CREATE TABLE dbos_rust_version_workflows (
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (version, name)
);

-- Which migrations of the application's own tables have been applied.
CREATE TABLE dbos_rust_app_migrations (
    application_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (application_name, version)
);

INSERT INTO dbos_rust_migrations (version) VALUES (1);

-- What DBOS for Rust keeps for itself, beside the tables it shares with other languages.

CREATE SCHEMA IF NOT EXISTS dbos_rust;

CREATE TABLE dbos_rust.migrations (
    version BIGINT PRIMARY KEY
);

-- One row per running process. It lives until expires_at_ms, or until somebody on the machine
-- with the same boot_id can take the lock on lock_path.
CREATE TABLE dbos_rust.executors (
    executor_id TEXT PRIMARY KEY,
    application_name TEXT NOT NULL,
    boot_id TEXT,
    lock_path TEXT,
    expires_at_ms BIGINT NOT NULL
);

-- The source hash of every workflow of an application version: an executor may claim a run
-- whenever its own hash of that one workflow is the same.
CREATE TABLE dbos_rust.version_workflows (
    version TEXT,
    name TEXT,
    hash TEXT NOT NULL,
    PRIMARY KEY (version, name)
);

-- Which migrations of the application's own tables have been applied.
CREATE TABLE dbos_rust.app_migrations (
    application_name TEXT,
    version BIGINT,
    name TEXT NOT NULL,
    PRIMARY KEY (application_name, version)
);

INSERT INTO dbos_rust.migrations (version) VALUES (1);

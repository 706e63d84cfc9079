//! The SQL that creates the tables of DBOS, and nothing else.
//!
//! Two histories per database. The *system* tables are shared with the DBOS libraries of other
//! languages and carry their version number; a fresh database is made at version 125 in one step.
//! The *own* tables belong to this library alone and count from 1.
//!
//! The text of a migration is one or more statements without parameters. It opens no transaction:
//! run it inside one, so that it applies as a whole or not at all. Its last statement writes its
//! version into `dbos_migrations` (system) or `migrations` (own).

/// One step of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version the database has once this step is applied.
    pub version: i64,
    /// The name of its file, without the number.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

/// The shared tables on Postgres, in schema `dbos`.
pub const POSTGRES_SYSTEM: &[Migration] = &[Migration {
    version: 125,
    name: "create_system_tables",
    sql: include_str!("../postgres/0125_create_system_tables.sql"),
}];

/// What comes before [`POSTGRES_SYSTEM`] where another library has made the shared tables at an earlier version. After it
/// the steps find tables and indexes that are there already.
pub const POSTGRES_OLDER: Migration = Migration {
    version: 125,
    name: "prepare_older_tables",
    sql: include_str!("../postgres/older/0125_prepare_older_tables.sql"),
};

/// The tables of this library on Postgres, in schema `dbos_rust`.
pub const POSTGRES_OWN: &[Migration] = &[
    Migration { version: 1, name: "create_executors", sql: include_str!("../postgres/own/0001_create_executors.sql") },
    Migration {
        version: 2,
        name: "create_paused_and_left_queues",
        sql: include_str!("../postgres/own/0002_create_paused_and_left_queues.sql"),
    },
];

/// The shared tables on SQLite.
pub const SQLITE_SYSTEM: &[Migration] = &[Migration {
    version: 125,
    name: "create_system_tables",
    sql: include_str!("../sqlite/0125_create_system_tables.sql"),
}];

/// The columns of the shared tables that came after the first version: what comes first where another library has made
/// a file at an earlier version. Each line that begins with `ALTER TABLE` is run by itself, if the table is there and
/// lacks the column.
pub const SQLITE_OLDER_COLUMNS: Migration =
    Migration { version: 125, name: "add_columns", sql: include_str!("../sqlite/older/0125_add_columns.sql") };

/// What comes next, if `operation_outputs` has a foreign key.
pub const SQLITE_OLDER_STEPS: Migration =
    Migration { version: 125, name: "free_steps", sql: include_str!("../sqlite/older/0125_free_steps.sql") };

/// What comes last before [`SQLITE_SYSTEM`], whose steps find tables and indexes that are there already.
pub const SQLITE_OLDER_LEFTOVERS: Migration =
    Migration { version: 125, name: "drop_leftovers", sql: include_str!("../sqlite/older/0125_drop_leftovers.sql") };

/// The tables of this library on SQLite; their names start with `dbos_rust_`.
pub const SQLITE_OWN: &[Migration] = &[
    Migration { version: 1, name: "create_executors", sql: include_str!("../sqlite/own/0001_create_executors.sql") },
    Migration {
        version: 2,
        name: "create_paused_and_left_queues",
        sql: include_str!("../sqlite/own/0002_create_paused_and_left_queues.sql"),
    },
];

//! What the tests of DBOS stand on: throwaway databases, processes that can be killed, a network
//! that can fail, and a harness that runs every behaviour on both databases.
//!
//! A file of behaviours is a list of sentences and a function for each:
//!
//! ```
//! use dbos_testkit::{Database, behaviours};
//!
//! behaviours! { counting:
//!     an_empty_table_has_no_rows,
//! }
//!
//! async fn an_empty_table_has_no_rows(database: Database) {
//!     database.execute("CREATE TABLE orders (id BIGINT)").await;
//!
//!     assert_eq!(database.count("SELECT count(*) FROM orders").await, 0);
//! }
//! ```
//!
//! and the `main` of its test binary, built with `harness = false`, is
//! `dbos_testkit::main(&[counting::CASES])`. Nothing needs to be set up: a Postgres server is started
//! from the installed binaries, and goes away with the test process however that ends.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

mod app;
pub use app::{App, PARK_VARIABLE, parking};
pub mod board;
pub mod chance;
mod crash;
pub use crash::{CrashTest, Crashes};
mod disk;
mod figures;
mod flushes;
pub use disk::{Disk, NotMounted};
pub use figures::report;
pub use flushes::BrokenFlushes;
mod harness;
pub use harness::{Case, Needs, Running, Verdict, main, running};
mod database;
pub use database::{Backend, Database, SCHEMA_VARIABLE};
pub mod http;
mod ledger;
mod postgres;
mod pooler;
mod port;
mod process;
mod proxy;
mod tool;
mod wall_clock;
pub use ledger::Ledger;
pub use pooler::{POOLER_VARIABLE, Pooler};
pub use port::free_port;
pub use postgres::{Server, URL_VARIABLE, Unavailable, shared_url};
pub use process::{Process, Program};
pub use proxy::{Fault, Proxy};
pub use tool::tool_or;
pub use wall_clock::WallClock;

/// The examples of the page are tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct Page;

/// So are those of these.
#[cfg(doctest)]
#[doc = include_str!("../../docs/queues.md")]
struct QueuesPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/management.md")]
struct ManagementPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/changing-workflow-code.md")]
struct ChangingCodePage;
/// And of this one.
#[cfg(doctest)]
#[doc = include_str!("../../docs/schedules.md")]
struct SchedulesPage;

/// And of these.
#[cfg(doctest)]
#[doc = include_str!("../../docs/workflows.md")]
struct WorkflowsPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/messages.md")]
struct MessagesPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/retries.md")]
struct RetriesPage;

/// And of this one.
#[cfg(doctest)]
#[doc = include_str!("../../docs/endless-workflows.md")]
struct EndlessPage;
/// And those of this one.
#[cfg(doctest)]
#[doc = include_str!("../../docs/streams.md")]
struct StreamsPage;

/// And of these two.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/saga.md")]
struct SagaPage;

/// And of this one.
#[cfg(doctest)]
#[doc = include_str!("../../docs/state.md")]
struct StatePage;

//! Measures the library beside other libraries and beside what the database itself allows, on one server, in turns.
//! `docs/performance.md` says how to run it and what came of it.

#![allow(clippy::disallowed_methods, reason = "nothing here is replayed")]

mod contender;
mod cpu;
mod database;
mod goals;
mod job;
mod pgbench;
mod plot;
mod report;
mod results;
mod server;
mod session;
mod setting;
mod statistics;
mod suite;
mod workload;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, Subcommand};

use contender::Name;

#[derive(Parser)]
#[command(about = "Measures the library beside others, in turns on one throwaway Postgres")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures, and prints tables
    Run {
        /// How often each contender has its turn
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// How long a turn under load lasts
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Only workloads whose key contains one of these
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Put tables and plot into `performance.md` in this folder
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Compares limit A with pgbench, and fails if it is much slower
    Pgbench {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// The process of a contender
    #[command(hide = true)]
    Contend { contender: Name, url: String, job: String },
}

#[tokio::main]
async fn main() -> Result<()> {
    let started = Instant::now();
    match Arguments::parse().command {
        Command::Run { rounds, seconds, only, write } => suite::run(rounds, seconds, &only, write.as_deref()).await,
        Command::Pgbench { rounds, seconds } => pgbench::check(&server::Server::start().await?, rounds, seconds).await,
        Command::Contend { contender, url, job } => {
            let job = serde_json::from_str(&job)?;
            match contender {
                Name::OneByOne => job::serve::<contender::one_by_one::OneByOne>(&url, &job, started).await,
                Name::Groups => job::serve::<contender::groups::Groups>(&url, &job, started).await,
                Name::Ours | Name::OursOnSqlite => job::serve::<contender::ours::Ours>(&url, &job, started).await,
                Name::Official => job::serve::<contender::official::Official>(&url, &job, started).await,
                Name::Durare => job::serve::<contender::durare::Durare>(&url, &job, started).await,
                Name::SqliteGroups => job::serve::<contender::sqlite_groups::SqliteGroups>(&url, &job, started).await,
            }
        }
    }
}

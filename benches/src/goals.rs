//! What is to be reached.

use crate::contender::Name::{self, Durare, Groups, Official, OneByOne, Ours, OursOnSqlite, SqliteGroups};
use crate::results::Results;
use crate::statistics::Spread;
use crate::workload::Metric::{self, BytesEach, LaunchMs, P50, PerSecond, Seconds, Statements, StatementsPerSecond};

/// A line of the table.
pub struct Goal {
    pub what: &'static str,
    pub must: Bound,
    measured: Measured,
}

/// Which side of a number is good.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

enum Measured {
    /// A metric of this library's.
    Value(&'static str, Metric),
    /// The same against another.
    Ratio(&'static str, Name, Name, Metric),
}

impl Goal {
    pub fn measured(&self, results: &Results) -> Option<Spread> {
        match self.measured {
            Measured::Value(workload, metric) => results.value(workload, Ours, metric),
            Measured::Ratio(workload, contender, other, metric) => results.ratio(workload, contender, other, metric),
        }
    }

    pub fn is_met(&self, measured: Spread) -> bool {
        match self.must {
            Bound::AtLeast(bound) => measured.median >= bound,
            Bound::AtMost(bound) => measured.median <= bound,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(formatter, "≥ {bound}"),
            Self::AtMost(bound) => write!(formatter, "≤ {bound}"),
        }
    }
}

const fn at_least(bound: f64, what: &'static str, workload: &'static str, other: Name) -> Goal {
    Goal { what, must: Bound::AtLeast(bound), measured: Measured::Ratio(workload, Ours, other, PerSecond) }
}

const fn at_most(bound: f64, what: &'static str, workload: &'static str, metric: Metric) -> Goal {
    Goal { what, must: Bound::AtMost(bound), measured: Measured::Value(workload, metric) }
}

const fn at_most_of_a(bound: f64, what: &'static str, workload: &'static str, metric: Metric) -> Goal {
    Goal { what, must: Bound::AtMost(bound), measured: Measured::Ratio(workload, Ours, OneByOne, metric) }
}

pub const ALL: &[Goal] = &[
    at_least(1.8, "throughput against A, one step, 64 in flight", "steps-1-64", OneByOne),
    at_least(1.3, "throughput against A, ten steps, 64 in flight", "steps-10-64", OneByOne),
    at_least(0.6, "share of B, one step, 64 in flight", "steps-1-64", Groups),
    at_least(0.6, "share of B, ten steps, 64 in flight", "steps-10-64", Groups),
    at_least(5.0, "throughput against `dbos`, one step, 64 in flight", "steps-1-64", Official),
    at_least(9.0, "throughput against `dbos`, one step, 512 in flight", "steps-1-512", Official),
    at_least(6.0, "throughput against `durare`, one step, 64 in flight", "steps-1-64", Durare),
    at_least(10.0, "throughput against `durare`, one step, 512 in flight", "steps-1-512", Durare),
    at_most_of_a(1.3, "p50 against A, one step, 1 in flight", "steps-1-1", P50),
    at_most_of_a(1.3, "p50 against A, ten steps, 1 in flight", "steps-10-1", P50),
    at_most(3.1, "statements per workflow of one step, alone, with those of services", "steps-1-1", Statements),
    at_most(12.1, "statements per workflow of ten steps, alone, with those of services", "steps-10-1", Statements),
    at_most(1.0, "statements per workflow of one step, 64 in flight", "steps-1-64", Statements),
    at_most(1.0, "statements per workflow of ten steps, 64 in flight", "steps-10-64", Statements),
    at_least(0.8, "one transaction against its minimal SQL, 64 in flight", "transactions-1-64", OneByOne),
    at_least(0.8, "ten transactions against their minimal SQL, 64 in flight", "transactions-10-64", OneByOne),
    at_least(10.0, "drain of 10,000 against `dbos`", "drain", Official),
    at_most(5.0, "from `enqueue` to the start, idle queue, p50 in ms", "dispatch", P50),
    at_most(1.0, "seconds until 1,000 run again after `kill -9`", "recovery", Seconds),
    at_most(2_000.0, "bytes per sleeping workflow", "sleeping", BytesEach),
    at_most(3_000.0, "bytes per workflow that waits for a message", "listening", BytesEach),
    at_most(2.0, "statements per second, idle, one queue", "idle", StatementsPerSecond),
    at_most(80.0, "launch on a migrated database, ms", "launch", LaunchMs),
    Goal {
        what: "SQLite: share of B, one step, 64 in flight",
        must: Bound::AtLeast(0.6),
        measured: Measured::Ratio("sqlite-1-64", OursOnSqlite, SqliteGroups, PerSecond),
    },
];

//! What is measured, and how.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::contender::Name::{self, Durare, Groups, Official, OneByOne, Ours, OursOnSqlite, SqliteGroups};
use crate::contender::{Body, Wait};
use crate::database::Database;
use crate::job::Job;
use crate::server::Server;
use crate::session::Session;

/// One table of the report.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub key: &'static str,
    pub title: &'static str,
    pub kind: Kind,
    pub contenders: &'static [Name],
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// So many workflows at any time, for as long as a run lasts.
    Load { body: Body, in_flight: usize },
    /// So many into a queue, and out of it.
    Drain(usize),
    /// So many into a queue that is idle, one at a time.
    Dispatch(usize),
    /// So many that wait, and what they cost meanwhile.
    Waiting(Wait, usize),
    /// So many that were running when their process was killed, until all of them run again.
    Recovery(usize),
    /// From the start of a process to when it can be used.
    Launch,
    /// Nothing to do, and one queue to look at.
    Idle,
}

const fn steps(key: &'static str, title: &'static str, steps: u32, in_flight: usize) -> Workload {
    let contenders = &[OneByOne, Groups, Ours, Official, Durare];
    Workload { key, title, kind: Kind::Load { body: Body::Steps(steps), in_flight }, contenders }
}

const fn transactions(key: &'static str, title: &'static str, transactions: u32) -> Workload {
    let kind = Kind::Load { body: Body::Transactions(transactions), in_flight: 64 };
    Workload { key, title, kind, contenders: &[OneByOne, Ours, Durare] }
}

const fn sqlite(key: &'static str, title: &'static str, steps: u32, in_flight: usize) -> Workload {
    let kind = Kind::Load { body: Body::Steps(steps), in_flight };
    Workload { key, title, kind, contenders: &[SqliteGroups, OursOnSqlite] }
}

const fn engines(key: &'static str, title: &'static str, kind: Kind) -> Workload {
    Workload { key, title, kind, contenders: &[Ours, Official, Durare] }
}

/// In the order of the report.
pub const ALL: &[Workload] = &[
    steps("steps-0-1", "No step, 1 in flight", 0, 1),
    steps("steps-0-64", "No step, 64 in flight", 0, 64),
    steps("steps-0-512", "No step, 512 in flight", 0, 512),
    steps("steps-1-1", "One step, 1 in flight", 1, 1),
    steps("steps-1-16", "One step, 16 in flight", 1, 16),
    steps("steps-1-64", "One step, 64 in flight", 1, 64),
    steps("steps-1-512", "One step, 512 in flight", 1, 512),
    steps("steps-10-1", "Ten steps, 1 in flight", 10, 1),
    steps("steps-10-16", "Ten steps, 16 in flight", 10, 16),
    steps("steps-10-64", "Ten steps, 64 in flight", 10, 64),
    steps("steps-10-512", "Ten steps, 512 in flight", 10, 512),
    transactions("transactions-1-64", "One transaction with a row of the user's, 64 in flight", 1),
    transactions("transactions-10-64", "Ten transactions with a row of the user's each, 64 in flight", 10),
    sqlite("sqlite-1-1", "SQLite: one step, 1 in flight", 1, 1),
    sqlite("sqlite-1-64", "SQLite: one step, 64 in flight", 1, 64),
    sqlite("sqlite-10-64", "SQLite: ten steps, 64 in flight", 10, 64),
    engines("drain", "10,000 workflows into a queue and out of it", Kind::Drain(10_000)),
    engines("dispatch", "From `enqueue` to its start, one at a time, in a queue that is idle", Kind::Dispatch(50)),
    engines(
        "payload",
        "A step that gives back 1 MB, 4 in flight",
        Kind::Load { body: Body::Payload(1_000_000), in_flight: 4 },
    ),
    engines("sleeping", "10,000 workflows asleep", Kind::Waiting(Wait::Sleep, 10_000)),
    engines("listening", "10,000 workflows waiting for a message", Kind::Waiting(Wait::Message, 10_000)),
    engines("recovery", "1,000 workflows left behind by `kill -9`, until all run again", Kind::Recovery(1_000)),
    engines("launch", "Launch on a migrated database", Kind::Launch),
    engines("idle", "Nothing to do, one queue", Kind::Idle),
];

/// What a number is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Metric {
    PerSecond,
    P50,
    P99,
    Seconds,
    LaunchMs,
    BytesEach,
    StatementsPerSecond,
    OwnCpu,
    ServerCpu,
    Statements,
    Commits,
}

impl Metric {
    /// The head of its column.
    pub fn title(self) -> &'static str {
        match self {
            Self::PerSecond => "workflows/s",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::Seconds => "seconds",
            Self::LaunchMs => "ms",
            Self::BytesEach => "bytes each",
            Self::StatementsPerSecond => "statements/s",
            Self::OwnCpu => "CPU µs each",
            Self::ServerCpu => "Postgres CPU µs each",
            Self::Statements => "statements each",
            Self::Commits => "commits each",
        }
    }
}

/// What one run of one contender gave.
pub type Sample = BTreeMap<Metric, f64>;

/// How long those that wait are left alone before they are looked at: by then the library has put them away.
const SETTLED: f64 = 15.0;
const IDLE: Duration = Duration::from_secs(10);

/// One run.
pub struct Run<'a> {
    pub server: &'a Server,
    pub database: &'a Database,
    pub contender: Name,
    /// How long a load lasts.
    pub seconds: f64,
}

impl Run<'_> {
    pub async fn measure(&self, kind: Kind) -> Result<Sample> {
        self.database.clear().await?;
        match kind {
            Kind::Load { body, in_flight } => {
                let prefix = "load-".to_owned();
                let job = Job::Load { prefix: prefix.clone(), body, in_flight, seconds: self.seconds };
                let (sample, workflows) = self.work(&job).await?;
                self.database.verify(&prefix, Some(body), workflows).await?;
                Ok(sample)
            }
            Kind::Drain(workflows) => {
                let prefix = "drain-".to_owned();
                let (sample, _) = self.work(&Job::Drain { prefix: prefix.clone(), workflows }).await?;
                self.database.verify(&prefix, None, workflows).await?;
                Ok(sample)
            }
            Kind::Dispatch(workflows) => {
                let prefix = "dispatch-".to_owned();
                let (mut sample, _) = self.work(&Job::Dispatch { prefix: prefix.clone(), workflows }).await?;
                // There is a pause between any two.
                sample.retain(|metric, _| matches!(metric, Metric::P50 | Metric::P99));
                self.database.verify(&prefix, None, workflows).await?;
                Ok(sample)
            }
            Kind::Waiting(wait, workflows) => self.waiting(wait, workflows).await,
            Kind::Recovery(workflows) => self.recovery(workflows).await,
            Kind::Launch => {
                let session = Session::launch(self.contender, &self.database.url, &Job::Idle).await?;
                let sample = Sample::from([(Metric::LaunchMs, session.launch_ms)]);
                session.end().await?;
                Ok(sample)
            }
            Kind::Idle => {
                let session = Session::launch(self.contender, &self.database.url, &Job::Idle).await?;
                tokio::time::sleep(Duration::from_secs(2)).await;
                let sample = Sample::from([(Metric::StatementsPerSecond, self.statements_per_second().await?)]);
                session.end().await?;
                Ok(sample)
            }
        }
    }

    /// A job whose end is the end of its workflows.
    async fn work(&self, job: &Job) -> Result<(Sample, usize)> {
        let mut session = Session::launch(self.contender, &self.database.url, job).await?;
        let (counts, cpu) = (self.database.counts().await?, self.server.cpu_us()?);
        let report = session.work().await?;
        // A queue's last workflows may be about to be recorded as ended.
        let (counts_after, cpu_after) = (self.database.counts().await?, self.server.cpu_us()?);
        if let Job::Drain { .. } | Job::Dispatch { .. } = job {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        session.end().await?;

        let workflows = report.workflows as f64;
        let mut sample = Sample::from([
            (Metric::PerSecond, workflows / report.seconds),
            (Metric::OwnCpu, report.cpu_us as f64 / workflows),
        ]);
        if report.p50_ms > 0.0 {
            sample.extend([(Metric::P50, report.p50_ms), (Metric::P99, report.p99_ms)]);
        }
        if !self.contender.is_on_sqlite() {
            sample.insert(Metric::ServerCpu, (cpu_after - cpu) as f64 / workflows);
            sample.insert(Metric::Statements, (counts_after.statements - counts.statements) as f64 / workflows);
            sample.insert(Metric::Commits, (counts_after.commits - counts.commits) as f64 / workflows);
        }
        Ok((sample, report.workflows))
    }

    async fn waiting(&self, wait: Wait, workflows: usize) -> Result<Sample> {
        let job = Job::Wait { prefix: "wait-".to_owned(), wait, workflows, seconds: SETTLED };
        let mut session = Session::launch(self.contender, &self.database.url, &job).await?;
        let report = session.work().await?;
        let more = report.resident_after.saturating_sub(report.resident_before);
        let sample = Sample::from([
            (Metric::BytesEach, more as f64 / workflows as f64),
            (Metric::StatementsPerSecond, self.statements_per_second().await?),
        ]);
        session.kill().await?;
        Ok(sample)
    }

    async fn recovery(&self, workflows: usize) -> Result<Sample> {
        let job = Job::Wait { prefix: "left-".to_owned(), wait: Wait::Message, workflows, seconds: 0.0 };
        let mut session = Session::launch(self.contender, &self.database.url, &job).await?;
        session.work().await?;
        session.kill().await?;

        let mut session = Session::launch(self.contender, &self.database.url, &Job::Resume { workflows }).await?;
        let report = session.work().await.context("recovery")?;
        session.kill().await?;
        Ok(Sample::from([(Metric::Seconds, report.seconds)]))
    }

    async fn statements_per_second(&self) -> Result<f64> {
        let (before, start) = (self.database.counts().await?, Instant::now());
        tokio::time::sleep(IDLE).await;
        let after = self.database.counts().await?;
        Ok((after.statements - before.statements) as f64 / start.elapsed().as_secs_f64())
    }
}

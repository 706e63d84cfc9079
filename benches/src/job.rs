//! What a contender's process does: launch, say so, wait for the word, work, report, wait for the end.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::task::JoinSet;

use crate::contender::{Body, Contender, Wait, arrived};
use crate::{cpu, statistics};

/// How many are started at the same time, of those that wait.
const AT_ONCE: usize = 64;
/// How long a queue is left alone until it is idle again; no multiple of the time between two looks at it.
const BETWEEN_DISPATCHES: Duration = Duration::from_millis(77);

/// What to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Job {
    /// Nothing.
    Idle,
    /// Runs workflows, so many at any time, for so long.
    Load { prefix: String, body: Body, in_flight: usize, seconds: f64 },
    /// Enqueues so many and runs them.
    Drain { prefix: String, workflows: usize },
    /// Enqueues so many, each when the last one has begun and nothing is left to do.
    Dispatch { prefix: String, workflows: usize },
    /// Starts so many that wait, and lets them wait for so long.
    Wait { prefix: String, wait: Wait, workflows: usize, seconds: f64 },
    /// Runs so many that another process has left behind.
    Resume { workflows: usize },
}

/// What became of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Report {
    pub workflows: usize,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_us: u64,
    pub resident_before: u64,
    pub resident_after: u64,
}

/// The whole life of the process.
pub async fn serve<C: Contender>(url: &str, job: &Job, started: Instant) -> Result<()> {
    let in_flight = if let Job::Load { in_flight, .. } = job { *in_flight } else { 1 };
    let contender = Arc::new(C::launch(url, in_flight).await?);
    say(&(started.elapsed().as_secs_f64() * 1e3))?;
    if let Job::Load { body, in_flight, .. } = job {
        // Connections are opened and statements prepared when they are needed first.
        load(&contender, "warm-up-", *body, *in_flight, Duration::ZERO).await?;
    }

    let mut orders = BufReader::new(stdin()).lines();
    say(&())?;
    order(&mut orders).await?;
    let (resident_before, cpu_before) = (cpu::resident()?, cpu::own()?);
    let report = work(&contender, job, started).await?;
    say(&Report { cpu_us: cpu::own()? - cpu_before, resident_before, resident_after: cpu::resident()?, ..report })?;
    order(&mut orders).await?;
    // Whatever still waits is left as it is.
    std::process::exit(0)
}

fn say(what: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(what)?);
    Ok(std::io::stdout().flush()?)
}

async fn order(orders: &mut Lines<BufReader<Stdin>>) -> Result<()> {
    orders.next_line().await?;
    Ok(())
}

async fn work<C: Contender>(contender: &Arc<C>, job: &Job, started: Instant) -> Result<Report> {
    match job {
        Job::Idle => Ok(Report::default()),
        Job::Load { prefix, body, in_flight, seconds } => {
            load(contender, prefix, *body, *in_flight, Duration::from_secs_f64(*seconds)).await
        }
        Job::Drain { prefix, workflows } => {
            let start = Instant::now();
            contender.enqueue((0..*workflows).map(|number| format!("{prefix}{number}")).collect()).await?;
            arrived(*workflows).await;
            Ok(Report { workflows: *workflows, seconds: start.elapsed().as_secs_f64(), ..Report::default() })
        }
        Job::Dispatch { prefix, workflows } => {
            let mut latencies = Vec::new();
            let start = Instant::now();
            for number in 0..*workflows {
                tokio::time::sleep(BETWEEN_DISPATCHES).await;
                let before = Instant::now();
                contender.enqueue(vec![format!("{prefix}{number}")]).await?;
                arrived(number + 1).await;
                latencies.push(before.elapsed().as_secs_f64() * 1e3);
            }
            Ok(Report {
                workflows: *workflows,
                seconds: start.elapsed().as_secs_f64(),
                p50_ms: statistics::quantile(&latencies, 0.5),
                p99_ms: statistics::quantile(&latencies, 0.99),
                ..Report::default()
            })
        }
        Job::Wait { prefix, wait, workflows, seconds } => {
            let start = |number| contender.wait(format!("{prefix}{number}"), *wait);
            iter(0..*workflows).map(start).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
            arrived(*workflows).await;
            tokio::time::sleep(Duration::from_secs_f64(*seconds)).await;
            Ok(Report { workflows: *workflows, ..Report::default() })
        }
        Job::Resume { workflows } => {
            arrived(*workflows).await;
            Ok(Report { workflows: *workflows, seconds: started.elapsed().as_secs_f64(), ..Report::default() })
        }
    }
}

/// One workflow after the other in each of so many tasks; each task runs one at least.
async fn load<C: Contender>(
    contender: &Arc<C>,
    prefix: &str,
    body: Body,
    in_flight: usize,
    time: Duration,
) -> Result<Report> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..in_flight {
        let contender = Arc::clone(contender);
        let prefix = format!("{prefix}{task}-");
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while latencies.is_empty() || start.elapsed() < time {
                let before = Instant::now();
                contender.run(format!("{prefix}{}", latencies.len()), body).await?;
                latencies.push(before.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(of_task) = tasks.join_next().await {
        latencies.extend(of_task??);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Report {
        workflows: latencies.len(),
        seconds,
        p50_ms: statistics::quantile(&latencies, 0.5),
        p99_ms: statistics::quantile(&latencies, 0.99),
        ..Report::default()
    })
}

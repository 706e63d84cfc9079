//! All workloads, round after round; in each round the contenders take turns on the same server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::contender::Name;
use crate::database::Database;
use crate::job::Job;
use crate::results::Results;
use crate::server::Server;
use crate::session::Session;
use crate::workload::{ALL, Metric, Run, Sample, Workload};
use crate::{plot, report, setting};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

pub async fn run(rounds: usize, seconds: f64, only: &[String], write: Option<&Path>) -> Result<()> {
    let chosen = |workload: &&Workload| only.is_empty() || only.iter().any(|part| workload.key.contains(part));
    let workloads: Vec<_> = ALL.iter().filter(chosen).collect();
    let server = Server::start().await?;
    let setting = setting::describe(&server, rounds, seconds).await?;
    eprintln!("{setting}");

    let databases = prepare(&server, &workloads).await?;
    let mut results = Results::default();
    for number in 1..=rounds {
        for workload in &workloads {
            match round(&server, &databases, workload, number, seconds).await {
                Ok(samples) => results.add(workload.key, samples),
                Err(error) => eprintln!("round {number} of {} is void: {error:#}", workload.key),
            }
        }
    }

    let text = report::markdown(&setting, &results);
    println!("{text}");
    if let Some(folder) = write {
        replace(&folder.join("performance.md"), &text)?;
        plot::draw(&results, &folder.join("images/performance.svg"))?;
    }
    ensure!(
        workloads.iter().all(|workload| !results.metrics(workload.key).is_empty()),
        "a workload has no valid round"
    );
    Ok(())
}

/// A database for each contender, with its tables.
async fn prepare(server: &Server, workloads: &[&Workload]) -> Result<BTreeMap<Name, Database>> {
    let contenders: BTreeSet<_> = workloads.iter().flat_map(|workload| workload.contenders).collect();
    let mut databases = BTreeMap::new();
    for &contender in contenders {
        let database = Database::fresh(server, contender).await?;
        Session::launch(contender, &database.url, &Job::Idle).await?.end().await?;
        databases.insert(contender, database);
    }
    Ok(databases)
}

/// One turn for each contender; each round begins with another one.
async fn round(
    server: &Server,
    databases: &BTreeMap<Name, Database>,
    workload: &Workload,
    number: usize,
    seconds: f64,
) -> Result<BTreeMap<Name, Sample>> {
    let mut contenders = workload.contenders.to_vec();
    contenders.rotate_left(number % workload.contenders.len());
    let mut samples = BTreeMap::new();
    for contender in contenders {
        let run = Run { server, database: &databases[&contender], contender, seconds };
        let sample = run.measure(workload.kind).await.with_context(|| contender.title())?;
        let numbers: Vec<_> =
            sample.iter().map(|(metric, value): (&Metric, _)| format!("{} {value:.2}", metric.title())).collect();
        eprintln!("{number} {} {}: {}", workload.key, contender.title(), numbers.join(", "));
        samples.insert(contender, sample);
    }
    Ok(samples)
}

/// Puts the text where the page has room for it.
fn replace(page: &Path, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let (before, rest) = old.split_once(BEGIN).context("the page has no place to begin")?;
    let (_, after) = rest.split_once(END).context("the page has no place to end")?;
    Ok(std::fs::write(page, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?)
}

//! Whether limit A is a limit: `pgbench` with the same statements on as many connections.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::contender::one_by_one::{END, START, STEP, connections};
use crate::contender::{Body, Name, minimal};
use crate::database::Database;
use crate::server::{Server, binary};
use crate::statistics::Spread;
use crate::workload::{Kind, Metric, Run};

/// What limit A has to reach of what `pgbench` does.
const SHARE: f64 = 0.9;

/// Compares them, round after round.
pub async fn check(server: &Server, rounds: usize, seconds: f64) -> Result<()> {
    let database = Database::fresh(server, Name::OneByOne).await?;
    minimal::prepare(&database.url).await?;
    let in_flight = connections(64);
    let mut shares = Vec::new();
    for _ in 0..rounds {
        let kind = Kind::Load { body: Body::Steps(1), in_flight };
        let run = Run { server, database: &database, contender: Name::OneByOne, seconds };
        let ours = run.measure(kind).await?[&Metric::PerSecond];
        database.clear().await?;
        let theirs = pgbench(server, &database.url, in_flight, seconds)?;
        println!("limit A {ours:.0}/s, pgbench {theirs:.0}/s");
        shares.push(ours / theirs);
    }
    let share = Spread::of(&shares).context("no round")?;
    println!("limit A reaches {share} of pgbench");
    ensure!(share.median >= SHARE, "limit A is no limit: it has to reach {SHARE} of pgbench");
    Ok(())
}

/// Workflows of one step per second.
fn pgbench(server: &Server, url: &str, connections: usize, seconds: f64) -> Result<f64> {
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), script_of_one_step())?;
    let output = Command::new(binary("pgbench")?)
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &connections.to_string()])
        // Its own scripts have numbers only.
        .args(["-D", &format!("receipt={}", minimal::receipt(0))])
        .args(["-T", &(seconds.ceil() as u64).to_string(), "-f"])
        .arg(script.path())
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "-U", "postgres"])
        .arg(url.rsplit('/').next().context("a database")?)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout)?;
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).context("no tps")?;
    Ok(line.split_whitespace().next().context("no tps")?.parse()?)
}

fn script_of_one_step() -> String {
    let one_line = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = |sql: &str, names: &[&str]| {
        names.iter().enumerate().fold(one_line(sql), |sql, (at, name)| sql.replace(&format!("${}", at + 1), name)) + ";"
    };
    let now = ":now";
    [
        "\\set id random(1, 9000000000000000000)".to_owned(),
        "\\set number 0".to_owned(),
        format!("\\set now {}", crate::contender::now_ms()),
        named(START, &[":id", ":id", now]),
        named(STEP, &[":id", ":id", ":number", ":receipt", now]),
        named(END, &[":id", ":id", now]),
    ]
    .join("\n")
}

//! Where and how it was measured.

use std::fs;

use anyhow::Result;

use crate::contender::{PEER_CONNECTIONS, PEER_POLL, minimal, one_by_one};
use crate::server::Server;

/// As the report begins.
pub async fn describe(server: &Server, rounds: usize, seconds: f64) -> Result<String> {
    let client = minimal::connect(&server.url("postgres")).await?;
    let mut settings = Vec::new();
    for name in ["server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size"] {
        let value: String = client.query_one("SELECT current_setting($1)", &[&name]).await?.get(0);
        settings.push(format!("`{name}` {value}"));
    }
    let config = dbos::Config::new("benches");
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(", ");
    Ok([
        format!("- machine: {}, {} cores, {}; load before it began: {load}", cpu_model()?, cores(), memory()?),
        format!("- Postgres: {}", settings.join(", ")),
        format!("- SQLite: {}, WAL, `synchronous` FULL", rusqlite::version()),
        format!(
            "- this library: as it comes, {} connections, waiters look each {:?}",
            config.pool_size, config.poll_interval
        ),
        format!(
            "- `dbos` 0.5.0 and `durare` 0.5.0: {PEER_CONNECTIONS} connections, queues looked at each {PEER_POLL:?}"
        ),
        format!(
            "- A: {}, {}, {} and {} connections at 1, 16, 64 and 512 in flight; B: one",
            one_by_one::connections(1),
            one_by_one::connections(16),
            one_by_one::connections(64),
            one_by_one::connections(512)
        ),
        format!("- {rounds} rounds, {seconds} s a turn; medians, with the least and the most in brackets"),
    ]
    .join("\n"))
}

fn cpu_model() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    Ok(model.trim_start_matches([' ', '\t', ':']).to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> Result<String> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kilobytes: u64 = text.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(format!("{} GB", (kilobytes + (1 << 19)) >> 20))
}

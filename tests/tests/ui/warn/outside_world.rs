#![deny(deprecated)]

use std::env;

use dbos::workflow;

#[workflow]
async fn surroundings() -> dbos::Result<usize> {
    let home = std::env::var("HOME").unwrap_or_default();
    let path = env::var("PATH").unwrap_or_default();
    let text = std::fs::read_to_string(home).unwrap_or_default();
    Ok(path.len() + text.len())
}

#[workflow]
async fn queries() -> dbos::Result<usize> {
    Ok(std::mem::size_of_val(&sqlx::query::<sqlx::Sqlite>("SELECT 1")))
}

fn main() {
    drop((surroundings(), queries()));
}

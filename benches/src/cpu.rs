//! What processes take, as `/proc` tells it.

use std::fs;

use anyhow::{Context, Result};

/// The processor time that this process has taken so far, in microseconds.
pub fn own() -> Result<u64> {
    ticks("self", 2).map(microseconds)
}

/// The processor time of a process and its children so far, those that have ended included, in microseconds.
pub fn of_family(parent: u32) -> Result<u64> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    // A child that ends meanwhile is counted with its parent.
    let living: u64 = children.split_whitespace().filter_map(|child| ticks(child, 2).ok()).sum();
    Ok(microseconds(ticks(&parent.to_string(), 4)? + living))
}

/// The memory that this process has in use, in bytes.
pub fn resident() -> Result<u64> {
    let pages = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split_whitespace().nth(1).context("statm")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// The sum of the first `fields` of: in user mode, in the kernel, the same for children that have ended.
fn ticks(process: &str, fields: usize) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in brackets, may have blanks in it.
    let (_, numbers) = stat.rsplit_once(')').context("stat")?;
    numbers.split_whitespace().skip(11).take(fields).map(|number| Ok(number.parse::<u64>()?)).sum()
}

fn microseconds(ticks: u64) -> u64 {
    ticks * 1_000_000 / rustix::param::clock_ticks_per_second()
}

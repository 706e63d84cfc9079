#![deny(deprecated)]

use std::time::{Instant, SystemTime};

use dbos::workflow;
use uuid::Uuid;

#[workflow]
async fn ids() -> dbos::Result<String> {
    let whole = uuid::Uuid::new_v4();
    Ok(format!("{whole}-{}", Uuid::new_v4()))
}

#[workflow]
async fn times() -> dbos::Result<bool> {
    let started = Instant::now();
    let date = std::time::SystemTime::now();
    let nested = Some(1).map(|_| SystemTime::now());
    Ok(nested.is_some_and(|nested| nested > date) && started.elapsed().is_zero())
}

#[workflow]
async fn chance() -> dbos::Result<u64> {
    Ok(rand::random() + fastrand::u64(..) + thread_rng())
}

/// Stands for the crate of that name.
mod rand {
    pub fn random() -> u64 {
        4
    }
}

/// Stands for the crate of that name.
mod fastrand {
    pub fn u64(_: std::ops::RangeFull) -> u64 {
        4
    }
}

fn thread_rng() -> u64 {
    4
}

fn main() {
    drop((ids(), times(), chance()));
}

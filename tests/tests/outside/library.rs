//! Workflows in a crate of their own.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use std::time::Duration;

use dbos::{Result, step, transaction, workflow};
use serde::{Deserialize, Serialize};

/// What comes in by lorry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// What it is.
    pub item: String,
    /// How many.
    pub pieces: u32,
}

/// Puts a delivery on the shelf; gives its weight.
#[workflow]
pub async fn restock(delivery: Delivery) -> Result<u32> {
    store(&delivery).await?;
    Ok(weigh(delivery.pieces).await)
}

#[transaction]
async fn store(connection: &mut sqlx::SqliteConnection, delivery: &Delivery) -> Result<()> {
    sqlx::query("INSERT INTO shelf VALUES ($1)").bind(&delivery.item).execute(connection).await?;
    Ok(())
}

#[step]
async fn weigh(pieces: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    pieces * 3
}

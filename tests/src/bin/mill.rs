//! Grinds flour for the bakery, and orders bread there.

use dbos::{Config, DBOS, Queue, Result, workflow};
use serde_json::{Value, json};

#[dbos::queue]
static MILL: Queue = Queue::new("mill");

#[workflow]
async fn grind(kilograms: f64) -> Result<String> {
    Ok(format!("{kilograms} kg of rye"))
}

#[workflow]
async fn breakfast(loaves: u32) -> Result<Value> {
    DBOS::enqueue("bake", "bakery", json!([loaves])).await?.result().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("DBOS_SYSTEM_DATABASE_URL").expect("the database that the bakery has, too");
    let engine = DBOS::launch(Config::new("mill").database_url(url)).await?;
    println!("{}", DBOS::start_workflow(breakfast(3)).workflow_id("monday").await?.result().await?);
    engine.shutdown().await;
    Ok(())
}

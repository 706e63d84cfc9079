//! An order that survives any crash. Start the program, order something, and kill it before the parcel is shipped.

use std::time::Duration;

use dbos::{DBOS, Result, Tx, post_api, step, transaction, workflow};

#[post_api("/orders")]
#[workflow]
async fn order(item: String) -> Result<String> {
    let id = record(&item).await?;
    DBOS::sleep(Duration::from_secs(5)).await;
    Ok(ship(id, &item).await)
}

#[transaction]
async fn record(tx: &mut Tx, item: &str) -> Result<i64> {
    tx.query("CREATE TABLE IF NOT EXISTS orders (id BIGINT, item TEXT)").execute().await?;
    let insert = "INSERT INTO orders SELECT count(*) + 1, $1 FROM orders RETURNING id";
    Ok(tx.query(insert).bind(item).fetch_scalar().await?)
}

#[step(retries = 3)]
async fn ship(id: i64, item: &str) -> String {
    println!("shipping {item} for order {id}");
    format!("order {id}: {item} is on its way")
}

#[dbos::main]
async fn main() {}

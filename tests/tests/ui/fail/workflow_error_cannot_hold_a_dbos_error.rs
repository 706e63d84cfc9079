use dbos::workflow;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct SoldOut;

#[workflow]
async fn checkout() -> Result<i64, SoldOut> {
    Err(SoldOut)
}

fn main() {
    drop(checkout());
}

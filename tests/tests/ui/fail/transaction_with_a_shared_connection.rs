use dbos::{Tx, transaction};

#[transaction]
async fn reserve(tx: &Tx, item: i64) -> dbos::Result<i64> {
    let _ = tx;
    Ok(item)
}

fn main() {}

use dbos::{Tx, transaction};

#[transaction(isolation = "snapshot")]
async fn reserve(tx: &mut Tx) -> dbos::Result<i64> {
    Ok(tx.now_ms())
}

fn main() {}

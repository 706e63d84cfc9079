#![deny(unused_must_use)]

use dbos::{DBOS, Tx, step, transaction, workflow};

#[step]
async fn charge() -> dbos::Result<()> {
    Ok(())
}

#[transaction]
async fn reserve(tx: &mut Tx) -> dbos::Result<i64> {
    Ok(tx.now_ms())
}

#[workflow]
async fn checkout() -> dbos::Result<()> {
    charge();
    reserve();
    checkout();
    DBOS::start_workflow(checkout());
    Ok(())
}

fn main() {
    drop(checkout());
}

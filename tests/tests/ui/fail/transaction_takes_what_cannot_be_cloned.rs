use dbos::{Tx, transaction};

struct Order {
    item: i64,
}

#[transaction]
async fn reserve(tx: &mut Tx, order: Order) -> dbos::Result<i64> {
    Ok(tx.now_ms() + order.item)
}

fn main() {
    drop(reserve(Order { item: 1 }));
}

use dbos::transaction;

#[transaction]
async fn reserve(item: i64) -> dbos::Result<i64> {
    Ok(item)
}

fn main() {
    drop(reserve(1));
}

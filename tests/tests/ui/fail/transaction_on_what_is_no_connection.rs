use dbos::transaction;

#[transaction]
async fn reserve(pool: &mut sqlx::SqlitePool, item: i64) -> dbos::Result<i64> {
    let _ = pool;
    Ok(item)
}

fn main() {
    drop(reserve(1));
}

use dbos::{step, workflow};

#[step]
fn charge(cents: i64) -> dbos::Result<i64> {
    Ok(cents)
}

#[workflow]
async fn caller() -> dbos::Result<i64> {
    charge(3).await
}

fn main() {}

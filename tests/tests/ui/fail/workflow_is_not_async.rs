use dbos::workflow;

#[workflow]
fn pay(cents: i64) -> dbos::Result<i64> {
    Ok(cents)
}

#[workflow]
async fn caller() -> dbos::Result<i64> {
    pay(3).await
}

fn main() {}

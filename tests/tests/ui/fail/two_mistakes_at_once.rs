use dbos::workflow;

#[workflow(nam = "pay")]
async fn pay(user: &str, cents: &i64) -> dbos::Result<String> {
    Ok(format!("{user} pays {cents}"))
}

#[workflow]
async fn caller() -> dbos::Result<String> {
    pay("you", &3).await
}

fn main() {}

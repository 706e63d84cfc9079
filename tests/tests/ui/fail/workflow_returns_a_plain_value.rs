use dbos::workflow;

#[workflow]
async fn total(cents: i64) -> i64 {
    cents
}

fn main() {
    drop(total(1));
}

use dbos::step;

#[derive(Debug)]
struct Declined;

#[step]
async fn charge() -> Result<i64, Declined> {
    Err(Declined)
}

fn main() {
    drop(charge());
}

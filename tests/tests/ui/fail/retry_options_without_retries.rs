use dbos::step;

#[step(interval = "1s", backoff = 2.0)]
async fn charge() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(charge());
}

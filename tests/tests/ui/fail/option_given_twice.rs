use dbos::step;

#[step(retries = 3, retries = 5)]
async fn charge() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(charge());
}

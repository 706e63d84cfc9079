use dbos::step;

#[step(timeout = "2 weeks")]
async fn deliver() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(deliver());
}

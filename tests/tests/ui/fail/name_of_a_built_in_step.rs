use dbos::step;

#[step(name = "DBOS.sleep")]
async fn rest() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(rest());
}

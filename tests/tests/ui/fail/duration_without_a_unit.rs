use dbos::workflow;

#[workflow(timeout = 30)]
async fn checkout() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(checkout());
}

use dbos::{step, workflow};

#[workflow(attempts = 3)]
async fn checkout() -> dbos::Result<()> {
    Ok(())
}

#[step(max_attempts = 3)]
async fn charge() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop((checkout(), charge()));
}

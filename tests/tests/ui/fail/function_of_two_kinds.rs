use dbos::{step, workflow};

#[workflow]
#[step]
async fn checkout() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(checkout());
}

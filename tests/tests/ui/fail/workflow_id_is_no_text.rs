use dbos::{DBOS, workflow};

#[workflow]
async fn checkout() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(DBOS::start_workflow(checkout()).workflow_id(42));
}

use dbos::workflows;

#[workflows]
async fn checkout() -> dbos::Result<()> {
    Ok(())
}

fn main() {
    drop(checkout());
}

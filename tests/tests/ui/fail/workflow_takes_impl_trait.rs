use dbos::workflow;

#[workflow]
async fn greet(name: impl Into<String>) -> dbos::Result<String> {
    Ok(name.into())
}

fn main() {
    drop(greet("you"));
}

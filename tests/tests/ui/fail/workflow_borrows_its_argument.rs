use dbos::workflow;

#[workflow]
async fn greet(name: &str) -> dbos::Result<String> {
    Ok(format!("hello {name}"))
}

fn main() {
    drop(greet("you"));
}

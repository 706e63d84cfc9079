use dbos::post_api;

#[post_api("/greet")]
async fn greet(name: &str) -> String {
    name.to_owned()
}

fn main() {
    drop(greet("you"));
}

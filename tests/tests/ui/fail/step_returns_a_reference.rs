use dbos::step;

#[step]
async fn first(words: &[String]) -> &str {
    &words[0]
}

fn main() {
    drop(first(&[]));
}

use dbos::step;

#[step]
async fn words() -> impl Iterator<Item = String> {
    std::iter::empty()
}

fn main() {
    drop(words());
}

use dbos::workflow;

#[workflow]
async fn tidy_up() {}

fn main() {
    drop(tidy_up());
}

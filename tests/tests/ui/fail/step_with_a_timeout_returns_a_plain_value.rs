use dbos::step;

#[step(timeout = "5s")]
async fn measure() -> i64 {
    1
}

fn main() {
    drop(measure());
}

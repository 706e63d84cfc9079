use dbos::step;

struct Receipt;

#[step]
async fn charge() -> Receipt {
    Receipt
}

fn main() {
    drop(charge());
}

use dbos::workflow;

struct Receipt;

#[workflow]
async fn checkout() -> dbos::Result<Receipt> {
    Ok(Receipt)
}

fn main() {
    drop(checkout());
}

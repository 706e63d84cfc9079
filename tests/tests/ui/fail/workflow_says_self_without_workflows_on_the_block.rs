use dbos::workflow;

struct Shop;

impl Shop {
    const FEE: i64 = 3;

    #[workflow]
    async fn checkout(cents: i64) -> dbos::Result<i64> {
        Ok(cents + Self::FEE)
    }
}

fn main() {
    drop(Shop::checkout(1));
}

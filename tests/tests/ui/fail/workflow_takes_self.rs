use dbos::workflow;

struct Shop {
    fee: i64,
}

impl Shop {
    #[workflow]
    async fn checkout(&self, cents: i64) -> dbos::Result<i64> {
        Ok(cents + self.fee)
    }
}

fn main() {
    drop(Shop { fee: 3 }.checkout(1));
}

use dbos::step;

struct Card;

impl Card {
    #[step(retries = 3)]
    async fn charge(self) -> dbos::Result<()> {
        drop(self);
        Ok(())
    }
}

fn main() {
    drop(Card.charge());
}

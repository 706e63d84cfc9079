use dbos::step;

struct Card;

#[step(retries = 3)]
async fn charge(card: Card) -> dbos::Result<()> {
    drop(card);
    Ok(())
}

fn main() {
    drop(charge(Card));
}

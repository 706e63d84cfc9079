use dbos::{workflow, workflows};

struct Shelf<T>(T);

#[workflows]
impl<T> Shelf<T> {
    #[workflow]
    async fn fill() -> dbos::Result<()> {
        Ok(())
    }
}

fn main() {
    drop(Shelf(1).0);
}

use dbos::FromRow;

#[derive(FromRow)]
struct Product(i64, String);

fn main() {
    let _ = Product(1, String::new());
}

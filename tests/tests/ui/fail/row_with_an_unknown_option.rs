use dbos::FromRow;

#[derive(FromRow)]
struct Product {
    #[from_row(column = "product_name")]
    name: String,
}

fn main() {
    let _ = Product { name: String::new() }.name;
}

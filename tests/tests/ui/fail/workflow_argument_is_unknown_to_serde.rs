use dbos::workflow;

struct Order {
    item: String,
}

#[workflow]
async fn checkout(order: Order) -> dbos::Result<String> {
    Ok(order.item)
}

fn main() {
    drop(checkout(Order { item: String::new() }));
}

use dbos::post_api;

struct Order;

#[post_api("/checkout")]
async fn checkout(order: Order) {
    let _ = order;
}

fn main() {
    drop(checkout(Order));
}

use dbos::get_api;

struct Order;

#[get_api("/order")]
async fn order() -> Order {
    Order
}

fn main() {
    drop(order());
}

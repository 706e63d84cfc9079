use dbos::get_api;

#[get_api("/orders/:order_id")]
async fn order(id: i64) -> String {
    id.to_string()
}

fn main() {
    drop(order(1));
}

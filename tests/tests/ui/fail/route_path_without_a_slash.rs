use dbos::get_api;

#[get_api("orders")]
async fn orders() {}

fn main() {
    drop(orders());
}

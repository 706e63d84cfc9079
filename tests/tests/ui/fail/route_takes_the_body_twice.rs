use dbos::http::Bytes;
use dbos::post_api;

#[post_api("/hook")]
async fn hook(#[raw] body: Bytes, #[query] page: u32, amount: i64) {
    let _ = (body, page, amount);
}

#[dbos::get_api("/orders/:id")]
async fn orders(#[query] id: i64, #[header("x api")] key: String, #[default(1)] page: Option<u32>) {
    let _ = (id, key, page);
}

fn main() {
    drop(hook(Bytes::new(), 1, 2));
    drop(orders(1, String::new(), None));
}

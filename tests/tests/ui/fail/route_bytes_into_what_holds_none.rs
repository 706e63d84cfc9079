use dbos::post_api;

#[post_api("/hook")]
async fn hook(#[raw] body: u64) {
    let _ = body;
}

fn main() {
    drop(hook(1));
}

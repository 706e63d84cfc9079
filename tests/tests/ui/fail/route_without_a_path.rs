use dbos::post_api;

#[post_api]
async fn checkout() {}

fn main() {
    drop(checkout());
}

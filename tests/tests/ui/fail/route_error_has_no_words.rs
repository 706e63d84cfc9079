use dbos::get_api;

struct Missing;

#[get_api("/order")]
async fn order() -> Result<String, Missing> {
    Err(Missing)
}

fn main() {
    drop(order());
}

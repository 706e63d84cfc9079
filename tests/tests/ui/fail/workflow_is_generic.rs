use dbos::workflow;
use serde::{Serialize, de::DeserializeOwned};

#[workflow]
async fn store<T: Serialize + DeserializeOwned>(value: T) -> dbos::Result<T> {
    Ok(value)
}

fn main() {
    drop(store(1));
}

use std::rc::Rc;

use dbos::workflow;

#[workflow]
async fn checkout(item: Rc<String>) -> dbos::Result<String> {
    Ok(item.to_string())
}

fn main() {
    drop(checkout(Rc::new(String::new())));
}

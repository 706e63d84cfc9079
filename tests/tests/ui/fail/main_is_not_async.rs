#[dbos::main]
fn main() {}

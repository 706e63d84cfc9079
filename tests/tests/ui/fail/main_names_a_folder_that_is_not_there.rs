#[dbos::main(migrations = "migratoins")]
async fn main() {}

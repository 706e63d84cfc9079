struct Misconfigured;

#[dbos::main]
async fn main() -> Result<(), Misconfigured> {
    Err(Misconfigured)
}

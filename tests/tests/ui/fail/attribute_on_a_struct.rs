use dbos::{step, workflow};

#[workflow]
struct Checkout;

#[step]
mod steps {}

fn main() {
    let _ = Checkout;
}

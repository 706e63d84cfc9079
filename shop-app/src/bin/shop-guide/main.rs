//! The shop of the checkout tutorial: never charges without fulfilling, never charges twice, and reserves inventory if and
//! only if it fulfils.
//!
//! The part to read is [`shop::Shop::checkout_workflow`].

mod settings;
mod shop;
mod utilities;

use dbos::Result;

#[dbos::main(migrations = "migrations/shop-guide", port = 8082, admin_port = 8083)]
async fn main() -> Result<()> {
    settings::check()
}

//! The payment service of the checkout tutorial: an application of its own, modelled on a card processor.
//!
//! The part to read is [`payments::PlaidPayments::payment_session`].

mod page;
mod payments;
mod routes;
mod sessions;
mod settings;

use dbos::Result;

#[dbos::main(migrations = "migrations/payment-service", port = 8086, admin_port = 8087)]
async fn main() -> Result<()> {
    settings::check()
}

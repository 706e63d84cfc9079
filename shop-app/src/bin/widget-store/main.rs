//! Widget store: an online shop that survives any crash.
//!
//! The part to read is [`shop::Shop::payment_workflow`].

mod page;
mod routes;
mod settings;
mod shop;
mod utilities;

use dbos::tracing;

#[dbos::main(migrations = "migrations/widget-store", supervise)]
async fn main() {
    tracing::info!("try it: buy a widget, then crash the application or kill it, and watch the order go on");
}

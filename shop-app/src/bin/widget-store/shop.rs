//! The checkout, from the press of "Buy Now" to the parcel.

use dbos::{DBOS, Event, Result, Topic, tracing, workflow};

use crate::settings::payment_timeout;
use crate::utilities::ShopUtilities;

pub(crate) const PAYMENT_TOPIC: Topic<String> = Topic::new("payment");
pub(crate) const PAYMENT_ID_EVENT: Event<Option<String>> = Event::new("payment_url");
pub(crate) const ORDER_ID_EVENT: Event<i32> = Event::new("order_url");

pub(crate) struct Shop;

impl Shop {
    #[workflow]
    pub(crate) async fn payment_workflow() -> Result<()> {
        // Attempt to reserve inventory, failing if no inventory remains
        if let Err(error) = ShopUtilities::subtract_inventory().await {
            tracing::error!("Failed to update inventory: {error}");
            DBOS::set_event(PAYMENT_ID_EVENT, None).await?;
            return Ok(());
        }

        // Create a new order
        let order_id = ShopUtilities::create_order().await?;

        // Send a unique payment ID to the checkout endpoint so it can
        // redirect the customer to the payments page
        DBOS::set_event(PAYMENT_ID_EVENT, Some(DBOS::workflow_id())).await?;
        let notification = DBOS::recv(PAYMENT_TOPIC, payment_timeout()).await?;

        // If payment succeeded, mark the order as paid and start the order dispatch workflow.
        // Otherwise, return reserved inventory and cancel the order.
        if notification.as_deref() == Some("paid") {
            tracing::info!("Payment successful!");
            ShopUtilities::mark_order_paid(order_id).await?;
            DBOS::start_workflow(ShopUtilities::dispatch_order(order_id)).await?;
        } else {
            tracing::warn!("Payment failed...");
            ShopUtilities::error_order(order_id).await?;
            ShopUtilities::undo_subtract_inventory().await?;
        }

        // Finally, send the order ID to the payment endpoint so it can redirect
        // the customer to the order status page.
        DBOS::set_event(ORDER_ID_EVENT, order_id).await
    }
}

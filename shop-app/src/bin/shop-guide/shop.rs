//! The checkout: the handler that customers call, and the workflow that it starts.

use dbos::{DBOS, Event, HttpError, Result, Topic, post_api, tracing, workflow};
use shop_app::payment::PaymentStatus;

use crate::settings::payment_timeout;
use crate::utilities::{Key, ShopUtilities, generate_payment_urls};

pub(crate) const SESSION_TOPIC: Event<Option<String>> = Event::new("payment_session_id");
pub(crate) const PAYMENT_COMPLETE_TOPIC: Topic<PaymentStatus> = Topic::new("payment_complete");

pub(crate) struct Shop;

impl Shop {
    /// Begins a checkout, or finds the one of this key again, and answers with the two commands that pay or cancel.
    ///
    /// # Errors
    ///
    /// - 409: The checkout failed. Nothing was charged, and nothing is reserved.
    /// - 503: The payment service has made no session yet.
    #[post_api("/checkout/:key?")]
    pub(crate) async fn web_checkout(
        key: Option<Key>,
        #[header("dbos-idempotency-key")] header: Option<Key>,
    ) -> Result<String, HttpError> {
        // A workflow handle is immediately returned. The workflow continues in the background.
        let key = key.or(header).map(String::from);
        let handle = DBOS::start_workflow(Shop::checkout_workflow()).workflow_id(key).await?;
        tracing::info!("Checkout workflow started with UUID: {}", handle.workflow_id());

        // Wait until the payment session is ready
        let Some(session_id) = DBOS::get_event(handle.workflow_id(), SESSION_TOPIC).await? else {
            let again =
                format!("The checkout is not ready yet; ask again with POST /checkout/{}", handle.workflow_id());
            return Err(HttpError::new(503, again));
        };
        let Some(session_id) = session_id else {
            tracing::error!("workflow failed");
            return Err(HttpError::new(409, "The checkout failed. Nothing was charged, and nothing is reserved"));
        };

        Ok(generate_payment_urls(handle.workflow_id(), &session_id))
    }

    #[workflow]
    pub(crate) async fn checkout_workflow() -> Result<()> {
        // Attempt to update the inventory. Signal the handler if it fails.
        if ShopUtilities::reserve_inventory().await.is_err() {
            tracing::error!("Failed to update inventory");
            return DBOS::set_event(SESSION_TOPIC, None).await;
        }

        // Attempt to start a payment session. If it fails, restore inventory state and signal the handler.
        let Ok(payment_session) = ShopUtilities::create_payment_session().await else {
            tracing::error!("Failed to create payment session");
            ShopUtilities::undo_reserve_inventory().await?;
            return DBOS::set_event(SESSION_TOPIC, None).await;
        };

        // Notify the handler of the payment session ID.
        let session_id = payment_session.session_id;
        DBOS::set_event(SESSION_TOPIC, session_id.clone()).await?;

        // Await a notification from the payment service. It is a reason to ask, and no proof: the one who has the
        // money knows. Silence proves nothing either, so it ends the session there, if that is still open.
        let payment_status = loop {
            let notification = DBOS::recv(PAYMENT_COMPLETE_TOPIC, payment_timeout()).await?;
            let payment_session = match notification {
                Some(_) => ShopUtilities::retrieve_payment_session(&session_id).await?,
                None => ShopUtilities::settle_payment_session(&session_id).await?,
            };
            if payment_session.payment_status != PaymentStatus::Pending {
                break payment_session.payment_status;
            }
        };

        if payment_status == PaymentStatus::Paid {
            // If the payment succeeds, fulfill the order.
            ShopUtilities::fulfill_order(&session_id).await?;
            tracing::info!("Checkout with UUID {} succeeded!", DBOS::workflow_id());
        } else {
            // If the payment fails or times out, cancel the order and return inventory.
            tracing::warn!("Checkout with UUID {} failed or timed out...", DBOS::workflow_id());
            ShopUtilities::undo_reserve_inventory().await?;
        }
        Ok(())
    }
}

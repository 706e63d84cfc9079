//! What the checkout is made of: the inventory, the payment service, and the news that comes from there.

use dbos::http::Bytes;
use dbos::{DBOS, Error, HttpError, Result, Tx, get_api, post_api, step, tracing, transaction};
use serde_json::json;
use shop_app::client;
use shop_app::payment::{PaymentEvent, PaymentSession, PaymentStatus};

use crate::settings::{payment_host, secrets, shop_host};
use crate::shop::PAYMENT_COMPLETE_TOPIC;

mod key;

pub(crate) use key::Key;

// In this guide, we check out this type of product. The database is initialized with 100000 of them.
const PRODUCT_ID: i32 = 1;
const PRODUCT: &str = "a pen";
const PRICE: &str = "10.00";
const QUANTITY: i32 = 1;

/// The two commands with which a customer pays or cancels from a terminal.
pub(crate) fn generate_payment_urls(workflow_uuid: &str, session_id: &str) -> String {
    let curl = |action: &str| {
        format!(
            "curl -X POST {}/api/{action} -H \"Content-type: application/json\" \
             -H \"dbos-idempotency-key: {workflow_uuid}\" -d '{{\"session_id\":\"{session_id}\"}}'",
            payment_host()
        )
    };
    format!("Submit payment:\n{}\nCancel payment:\n{}\n", curl("submit_payment"), curl("cancel_payment"))
}

pub(crate) struct ShopUtilities;

impl ShopUtilities {
    #[transaction]
    pub(crate) async fn reserve_inventory(tx: &mut Tx) -> Result<()> {
        let num_affected = tx
            .query("UPDATE products SET inventory = inventory - $1 WHERE product_id = $2 AND inventory >= $1")
            .bind(QUANTITY)
            .bind(PRODUCT_ID)
            .execute()
            .await?;
        if num_affected == 0 {
            return Err(Error::new("Insufficient Inventory"));
        }
        Ok(())
    }

    #[transaction]
    pub(crate) async fn undo_reserve_inventory(tx: &mut Tx) -> Result<()> {
        tx.query("UPDATE products SET inventory = inventory + $1 WHERE product_id = $2")
            .bind(QUANTITY)
            .bind(PRODUCT_ID)
            .execute()
            .await?;
        Ok(())
    }

    /// The workflow's ID is the key under which the session is created: whoever asks again, after a crash or because no
    /// answer came, gets the same session.
    #[step(retries = 3, interval = "500ms", timeout = "5s")]
    pub(crate) async fn create_payment_session() -> Result<PaymentSession> {
        let url = format!("{}/api/create_payment_session", payment_host());
        let workflow_id = DBOS::workflow_id();
        let request = json!({
            "webhook": format!("{}/payment_webhook", shop_host()),
            "success_url": format!("{}/payment/success", shop_host()),
            "cancel_url": format!("{}/payment/cancel", shop_host()),
            "items": [{"description": PRODUCT, "quantity": QUANTITY, "price": PRICE}],
            "client_reference_id": workflow_id,
        });
        let answer = client::post(&url, &[("dbos-idempotency-key", &workflow_id)], &request).await?;
        let session: PaymentSession = answer.success()?.json()?;
        // The ID goes into URLs, and into a command that a customer pastes.
        if session.url.is_none() || !key::is_plain(&session.session_id) {
            return Err(Error::new("the payment service made no session"));
        }
        Ok(session)
    }

    /// Asks the payment service how a session stands, for as long as it takes: to give up would be to guess.
    #[step(retries = "unlimited", interval = "200ms", max_interval = "5s", timeout = "5s")]
    pub(crate) async fn retrieve_payment_session(session_id: &str) -> Result<PaymentSession> {
        retrieve(session_id).await
    }

    /// Ends a session that is still open, and gives what has become of it; for as long as that takes.
    #[step(retries = "unlimited", interval = "200ms", max_interval = "5s", timeout = "5s")]
    pub(crate) async fn settle_payment_session(session_id: &str) -> Result<PaymentSession> {
        let cancel = format!("{}/api/cancel_payment", payment_host());
        // A session that has ended refuses, which is an answer too. How it ended is asked below.
        client::post(&cancel, &[], &json!({"session_id": session_id})).await?;
        let session = retrieve(session_id).await?;
        if session.payment_status == PaymentStatus::Pending {
            return Err(Error::new("the session is still open"));
        }
        Ok(session)
    }

    /// The durable word that this order is to be shipped.
    #[transaction]
    pub(crate) async fn fulfill_order(tx: &mut Tx, session_id: &str) -> Result<()> {
        let now_ms = tx.now_ms();
        tx.query(
            "INSERT INTO fulfilled_orders (workflow_id, session_id, product_id, quantity, fulfilled_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(DBOS::workflow_id())
        .bind(session_id)
        .bind(PRODUCT_ID)
        .bind(QUANTITY)
        .bind(now_ms)
        .execute()
        .await?;
        Ok(())
    }

    /// Hears from the payment service how a session ended.
    ///
    /// # Errors
    ///
    /// - 400: The news is not signed, or is no news.
    /// - 404: There is no such checkout.
    #[post_api("/payment_webhook")]
    pub(crate) async fn payment_webhook(
        #[header("payment-signature")] signature: String,
        #[raw] body: Bytes,
    ) -> Result<(), HttpError> {
        let refused = |reason: &dyn std::fmt::Display| {
            tracing::error!("Invalid payment webhook callback: {reason}");
            HttpError::new(400, format!("Invalid payment webhook callback: {reason}"))
        };
        secrets().verify(&signature, &body, DBOS::now().await).map_err(|forged| refused(&forged))?;
        let event: PaymentEvent = serde_json::from_slice(&body).map_err(|error| refused(&error))?;
        let Some(workflow_id) = event.client_reference_id.as_deref().filter(|id| key::is_plain(id)) else {
            return Err(refused(&"it names no checkout"));
        };
        if !key::is_plain(&event.event_id) {
            return Err(refused(&"it names no event"));
        }
        if DBOS::retrieve_workflow::<Result<()>>(workflow_id)?.status().await?.is_none() {
            return Err(HttpError::new(404, format!("Checkout {workflow_id} not found")));
        }
        ShopUtilities::deliver_payment_event(&event, workflow_id).await?;
        Ok(())
    }

    /// Each event is delivered once, however often it is sent: its row and the message are one commit.
    #[transaction]
    async fn deliver_payment_event(tx: &mut Tx, event: &PaymentEvent, workflow_id: &str) -> Result<()> {
        let now_ms = tx.now_ms();
        let num_affected = tx
            .query(
                "INSERT INTO payment_events (event_id, workflow_id, received_at) VALUES ($1, $2, $3)
                 ON CONFLICT (event_id) DO NOTHING",
            )
            .bind(event.event_id.as_str())
            .bind(workflow_id)
            .bind(now_ms)
            .execute()
            .await?;
        if num_affected == 1 {
            DBOS::send(workflow_id, event.payment_status, PAYMENT_COMPLETE_TOPIC).await?;
        }
        Ok(())
    }
}

async fn retrieve(session_id: &str) -> Result<PaymentSession> {
    let session: PaymentSession =
        client::get(&format!("{}/api/session/{session_id}", payment_host())).await?.success()?.json()?;
    if session.session_id != session_id {
        return Err(Error::new("the payment service speaks of another session"));
    }
    Ok(session)
}

/// What to do here.
#[get_api("/")]
async fn welcome() -> String {
    format!("Begin a checkout:\ncurl -X POST {}/checkout\n", shop_host())
}

/// Where a browser is sent after the payment.
#[get_api("/payment/success")]
async fn payment_success() -> &'static str {
    "Thank you! Your payment has been received.\n"
}

/// Where a browser is sent after a cancellation.
#[get_api("/payment/cancel")]
async fn payment_cancel() -> &'static str {
    "Your payment was cancelled. Nothing was charged.\n"
}

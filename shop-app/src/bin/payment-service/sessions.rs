//! Sessions and charges, as the database has them.

use dbos::{DBOS, FromRow, HttpError, Result, Tx, transaction};
use serde::{Deserialize, Serialize};
use shop_app::payment::{PaymentSession, PaymentStatus};

use crate::payments::PAYMENT_STATUS_EVENT;
use crate::settings::own_host;

mod price;
mod request;

pub(crate) use price::Price;
pub(crate) use request::{PaymentItem, SessionRequest};

/// A session, without its items.
#[expect(clippy::struct_field_names, reason = "the columns are called so")]
#[derive(Clone, Debug, Deserialize, FromRow, PartialEq, Serialize)]
pub(crate) struct Session {
    pub(crate) session_id: String,
    /// The workflow that waits for the customer.
    pub(crate) workflow_id: String,
    client_reference_id: Option<String>,
    webhook: String,
    pub(crate) success_url: String,
    pub(crate) cancel_url: String,
    status: String,
}

impl Session {
    pub(crate) fn status(&self) -> PaymentStatus {
        match self.status.as_str() {
            "paid" => PaymentStatus::Paid,
            "cancelled" => PaymentStatus::Cancelled,
            _ => PaymentStatus::Pending,
        }
    }

    /// What the shop is told of it.
    pub(crate) fn told(&self) -> PaymentSession {
        PaymentSession {
            session_id: self.session_id.clone(),
            url: Some(format!("{}/payment/{}", own_host(), self.session_id)),
            payment_status: self.status(),
        }
    }

    /// Whether it is what somebody asked for in these words.
    pub(crate) fn answers(&self, request: &SessionRequest, items: &[PaymentItem]) -> bool {
        self.webhook == request.webhook
            && self.success_url == request.success_url
            && self.cancel_url == request.cancel_url
            && self.client_reference_id == request.client_reference_id
            && items == request.items
    }
}

pub(crate) struct Sessions;

impl Sessions {
    #[transaction]
    pub(crate) async fn insert_session(tx: &mut Tx, session_id: &str, request: &SessionRequest) -> Result<()> {
        tx.query(
            "INSERT INTO session
                    (session_id, workflow_id, client_reference_id, webhook, success_url, cancel_url, status)
             VALUES ($1, $2, $3, $4, $5, $6, 'pending')",
        )
        .bind(session_id)
        .bind(DBOS::workflow_id())
        .bind(request.client_reference_id.clone())
        .bind(request.webhook.as_str())
        .bind(request.success_url.as_str())
        .bind(request.cancel_url.as_str())
        .execute()
        .await?;
        for item in &request.items {
            tx.query("INSERT INTO items (description, quantity, price_cents, session_id) VALUES ($1, $2, $3, $4)")
                .bind(item.description.as_str())
                .bind(item.quantity)
                .bind(item.price.cents())
                .bind(session_id)
                .execute()
                .await?;
        }
        Ok(())
    }

    /// Ends a session: its status, the charge if it is paid, and the news of it are one commit.
    #[transaction]
    pub(crate) async fn update_session_status(
        tx: &mut Tx,
        session_id: &str,
        status: PaymentStatus,
        amount_cents: i64,
    ) -> Result<()> {
        let now_ms = tx.now_ms();
        tx.query("UPDATE session SET status = $1 WHERE session_id = $2")
            .bind(status.to_string())
            .bind(session_id)
            .execute()
            .await?;
        if status == PaymentStatus::Paid {
            tx.query("INSERT INTO charges (session_id, amount_cents, charged_at) VALUES ($1, $2, $3)")
                .bind(session_id)
                .bind(amount_cents)
                .bind(now_ms)
                .execute()
                .await?;
        }
        DBOS::set_event(PAYMENT_STATUS_EVENT, status).await
    }

    #[transaction(read_only)]
    async fn find_session(tx: &mut Tx, session_id: &str) -> Result<Option<Session>> {
        let session = tx.query(
            "SELECT session_id, workflow_id, client_reference_id, webhook, success_url, cancel_url, status
               FROM session
              WHERE session_id = $1",
        );
        Ok(session.bind(session_id).fetch_optional().await?)
    }

    #[transaction(read_only)]
    pub(crate) async fn items(tx: &mut Tx, session_id: &str) -> Result<Vec<PaymentItem>> {
        let items = "SELECT description, quantity, price_cents FROM items WHERE session_id = $1 ORDER BY item_id";
        let rows: Vec<ItemRow> = tx.query(items).bind(session_id).fetch_all().await?;
        Ok(rows.into_iter().map(ItemRow::into_item).collect())
    }

    /// The session, or the answer to who asks for one that there is not.
    pub(crate) async fn get(session_id: &str) -> Result<Session, HttpError> {
        let session = Self::find_session(session_id).await?;
        session.ok_or_else(|| HttpError::new(404, format!("Session {session_id} not found")))
    }
}

#[derive(FromRow)]
struct ItemRow {
    description: String,
    quantity: i32,
    price_cents: i64,
}

impl ItemRow {
    fn into_item(self) -> PaymentItem {
        PaymentItem { description: self.description, quantity: self.quantity, price: Price::of_cents(self.price_cents) }
    }
}

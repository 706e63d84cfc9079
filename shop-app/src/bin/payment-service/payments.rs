//! A payment session, from its creation to the shop's acknowledgement that it knows how it ended.

use dbos::{DBOS, Event, Result, Topic, step, tracing, workflow};
use shop_app::client;
use shop_app::payment::{PaymentEvent, PaymentStatus};
use shop_app::webhook::SIGNATURE_HEADER;

use crate::sessions::{SessionRequest, Sessions};
use crate::settings::{secrets, session_timeout};

pub(crate) const PAYMENT_COMPLETE_TOPIC: Topic<String> = Topic::new("payment_complete_topic");
pub(crate) const PAYMENT_SESSION_STARTED_TOPIC: Event<String> = Event::new("payment_session_started_topic");
pub(crate) const PAYMENT_STATUS_EVENT: Event<PaymentStatus> = Event::new("payment_status");

pub(crate) const PAYMENT_SUBMITTED: &str = "payment.submitted";
pub(crate) const PAYMENT_CANCELLED: &str = "payment.cancelled";

pub(crate) struct PlaidPayments;

impl PlaidPayments {
    #[workflow]
    pub(crate) async fn payment_session(request: SessionRequest) -> Result<()> {
        // Nobody can guess it, so nobody can pay for a session that he was not told of.
        let session_id = DBOS::uuid().await.to_string();
        tracing::info!("creating payment session {session_id}");
        Sessions::insert_session(&session_id, &request).await?;
        DBOS::set_event(PAYMENT_SESSION_STARTED_TOPIC, session_id.as_str()).await?;

        // The first word counts. Silence is a cancellation: who pays later is refused.
        let notification = DBOS::recv(PAYMENT_COMPLETE_TOPIC, session_timeout()).await?;
        let payment_status = match notification.as_deref() {
            Some(PAYMENT_SUBMITTED) => PaymentStatus::Paid,
            _ => PaymentStatus::Cancelled,
        };
        tracing::info!("payment session {session_id} is {payment_status}");
        Sessions::update_session_status(&session_id, payment_status, request.amount_cents()).await?;

        let event = PaymentEvent {
            event_id: DBOS::uuid().await.to_string(),
            session_id,
            payment_status,
            client_reference_id: request.client_reference_id,
        };
        PlaidPayments::payment_webhook(&request.webhook, &event).await
    }

    /// Tells the shop until it says that it has understood: one that is down for a day still gets the news.
    #[step(retries = "unlimited", interval = "500ms", max_interval = "5s", timeout = "10s")]
    async fn payment_webhook(webhook: &str, event: &PaymentEvent) -> Result<()> {
        let body = serde_json::to_vec(event).expect("an event is JSON");
        // Signed anew for each attempt, as the shop believes a signature for a few minutes only.
        let signature = secrets().sign(&body, DBOS::now().await);
        client::post_bytes(webhook, &[(SIGNATURE_HEADER, &signature)], body).await?.success()?;
        Ok(())
    }
}

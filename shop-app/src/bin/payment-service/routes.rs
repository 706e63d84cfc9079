//! The service's interface for shops, and for customers who pay from a terminal.

use dbos::{DBOS, HttpError, get_api, post_api};
use schemars::JsonSchema;
use serde::Serialize;
use shop_app::payment::{PaymentSession, PaymentStatus};

use crate::payments::{
    PAYMENT_CANCELLED, PAYMENT_COMPLETE_TOPIC, PAYMENT_SESSION_STARTED_TOPIC, PAYMENT_STATUS_EVENT, PAYMENT_SUBMITTED,
    PlaidPayments,
};
use crate::sessions::{PaymentItem, Session, SessionRequest, Sessions};

/// A session with its bill.
#[derive(JsonSchema, Serialize)]
struct PaymentSessionInformation {
    session_id: String,
    success_url: String,
    cancel_url: String,
    status: PaymentStatus,
    items: Vec<PaymentItem>,
}

/// Makes a session in which a customer pays, or cancels.
///
/// # Errors
///
/// - 503: The session is not there yet; ask again under the same key.
#[post_api("/api/create_payment_session")]
async fn create_payment_session(
    // A shop that asks twice under one key, because it crashed or heard no answer, gets one session.
    #[header("dbos-idempotency-key")] key: Option<String>,
    #[body] request: SessionRequest,
) -> Result<PaymentSession, HttpError> {
    request.check()?;
    let handle = DBOS::start_workflow(PlaidPayments::payment_session(request.clone())).workflow_id(key).await?;
    let Some(session_id) = DBOS::get_event(handle.workflow_id(), PAYMENT_SESSION_STARTED_TOPIC).await? else {
        return Err(HttpError::new(503, "The session is not there yet; ask again under the same key"));
    };
    let session = Sessions::get(&session_id).await?;
    if !session.answers(&request, &Sessions::items(&session_id).await?) {
        return Err(HttpError::new(422, "This idempotency key was used for another session"));
    }
    Ok(session.told())
}

/// How a session stands.
///
/// # Errors
///
/// - 404: There is no such session.
#[get_api("/api/session/:session_id")]
async fn retrieve_payment_session(session_id: String) -> Result<PaymentSession, HttpError> {
    Ok(Sessions::get(&session_id).await?.told())
}

/// How a session stands, with its bill.
///
/// # Errors
///
/// - 404: There is no such session.
#[get_api("/api/session_info/:session_id")]
async fn get_session_information(session_id: String) -> Result<PaymentSessionInformation, HttpError> {
    let session = Sessions::get(&session_id).await?;
    let items = Sessions::items(&session_id).await?;
    let status = session.status();
    let (success_url, cancel_url) = (session.success_url, session.cancel_url);
    Ok(PaymentSessionInformation { session_id, success_url, cancel_url, status, items })
}

/// Pays.
///
/// # Errors
///
/// - 404: There is no such session.
/// - 409: It has been cancelled.
/// - 503: It has not ended yet; ask again.
#[post_api("/api/submit_payment")]
async fn submit_payment(session_id: String) -> Result<(), HttpError> {
    insist(&session_id, PaymentStatus::Paid).await
}

/// Cancels.
///
/// # Errors
///
/// - 404: There is no such session.
/// - 409: It has been paid.
/// - 503: It has not ended yet; ask again.
#[post_api("/api/cancel_payment")]
async fn cancel_payment(session_id: String) -> Result<(), HttpError> {
    insist(&session_id, PaymentStatus::Cancelled).await
}

/// Refuses a word that came too late: who is told that a payment succeeded has been charged, and nobody else.
async fn insist(session_id: &str, wanted: PaymentStatus) -> Result<(), HttpError> {
    match end_session(&Sessions::get(session_id).await?, wanted).await? {
        status if status == wanted => Ok(()),
        status => Err(HttpError::new(409, format!("Session {session_id} is {status}: this changed nothing"))),
    }
}

/// Sends the word to the session, and waits for what becomes of it: the first one counts.
pub(crate) async fn end_session(session: &Session, wanted: PaymentStatus) -> Result<PaymentStatus, HttpError> {
    if session.status() == PaymentStatus::Pending {
        let word = if wanted == PaymentStatus::Paid { PAYMENT_SUBMITTED } else { PAYMENT_CANCELLED };
        DBOS::send(&session.workflow_id, word, PAYMENT_COMPLETE_TOPIC).await?;
    }
    let status = DBOS::get_event(&session.workflow_id, PAYMENT_STATUS_EVENT).await?;
    status.ok_or_else(|| HttpError::new(503, "The session has not ended yet; ask again"))
}

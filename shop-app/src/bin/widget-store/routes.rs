//! The endpoints: each is the fitting workflow or transaction, and an answer for the browser.

use std::time::Duration;

use dbos::{DBOS, HttpError, Result, get_api, http, post_api, tracing};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::shop::{ORDER_ID_EVENT, PAYMENT_ID_EVENT, PAYMENT_TOPIC, Shop};
use crate::utilities::{Order, OrderStatus, Product, ShopUtilities};

/// Starts a checkout, or finds the one of this key again, and answers with the ID of its payment.
///
/// # Errors
///
/// - 409: The widgets are sold out.
#[post_api("/checkout/:key")]
async fn checkout(key: String) -> Result<String, HttpError> {
    // Idempotently start the checkout workflow in the background.
    let handle = DBOS::start_workflow(Shop::payment_workflow()).workflow_id(&key).await?;
    // Wait for the checkout workflow to send a payment ID, then return it.
    match DBOS::get_event(handle.workflow_id(), PAYMENT_ID_EVENT).await? {
        Some(Some(payment_id)) => Ok(payment_id),
        Some(None) => Err(HttpError::new(409, "Sold out")),
        None => {
            tracing::error!("checkout failed");
            Err(HttpError::new(500, "Error starting checkout"))
        }
    }
}

/// Tells how a payment went, and answers with the number of the order.
///
/// # Errors
///
/// - 404: No payment has this ID.
/// - 409: The order was settled before, and otherwise.
#[post_api("/payment_webhook/:key/:status")]
async fn payment_webhook(key: String, status: PaymentStatus) -> Result<i32, HttpError> {
    // Only an ID that a customer was given can be paid: not a sold-out checkout, nor another workflow.
    if DBOS::get_event(&key, PAYMENT_ID_EVENT).timeout(Duration::ZERO).await?.flatten().is_none() {
        return Err(HttpError::new(404, format!("Payment {key} not found")));
    }
    // Send the payment status to the checkout workflow.
    DBOS::send(&key, status.word(), PAYMENT_TOPIC).await?;
    // Wait for the checkout workflow to send an order ID, then return it.
    let Some(order_id) = DBOS::get_event(&key, ORDER_ID_EVENT).await? else {
        tracing::error!("retrieving order ID failed");
        return Err(HttpError::new(500, "Error retrieving order ID"));
    };
    // The first notice in time settled the order. One that says otherwise, or came too late, must not
    // read as a success: the provider would keep the money of a cancelled order.
    let order = find_order(order_id).await?;
    if (status == PaymentStatus::Paid) == (order.order_status == OrderStatus::CANCELLED) {
        let state = OrderStatus::name(order.order_status);
        return Err(HttpError::new(409, format!("Order {order_id} is {state}: this payment changed nothing")));
    }
    Ok(order_id)
}

/// The product, with what is left of it.
///
/// # Errors
///
/// None but those of every route.
#[get_api("/product")]
async fn product() -> Result<Product> {
    ShopUtilities::retrieve_product().await
}

/// How an order stands.
///
/// # Errors
///
/// - 404: There is no such order.
#[get_api("/order/:order_id")]
async fn order(order_id: OrderId) -> Result<Order, HttpError> {
    find_order(order_id.0).await
}

/// All orders, the oldest first.
///
/// # Errors
///
/// None but those of every route.
#[get_api("/orders")]
async fn orders() -> Result<Vec<Order>> {
    ShopUtilities::retrieve_orders().await
}

/// Fills the shelf with twelve widgets.
///
/// # Errors
///
/// None but those of every route.
#[post_api("/restock")]
async fn restock() -> Result<&'static str> {
    ShopUtilities::set_inventory(12).await?;
    Ok("")
}

/// Here is the crash endpoint. It crashes your app. Trigger it as many times as you want: DBOS always
/// comes back, resuming from exactly where it left off!
///
/// # Errors
///
/// - 403: Only a browser on the shop's own computer may do that.
#[post_api("/crash_application")]
async fn crash_application() -> Result<(), HttpError> {
    if !http::peer().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Err(HttpError::new(403, "Only a browser on the shop's own computer may crash it"));
    }
    std::process::exit(1)
}

async fn find_order(order_id: i32) -> Result<Order, HttpError> {
    let order = ShopUtilities::retrieve_order(order_id).await?;
    order.ok_or_else(|| HttpError::new(404, format!("Order {order_id} not found")))
}

/// What became of a payment. Any other word must not cancel the order, nor count as money.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum PaymentStatus {
    Paid,
    Failed,
}

impl PaymentStatus {
    fn word(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Failed => "failed",
        }
    }
}

/// An order's number as people write it: digits, the first of them not 0.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(try_from = "i32", extend("minimum" = 1))]
struct OrderId(i32);

impl TryFrom<String> for OrderId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse() {
            Ok(number) if text.starts_with(|first: char| matches!(first, '1'..='9')) => Ok(Self(number)),
            _ => Err("an order ID is a positive whole number"),
        }
    }
}

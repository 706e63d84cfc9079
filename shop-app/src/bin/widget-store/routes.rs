//! The endpoints: each is the fitting workflow or transaction, and an answer for the browser.

use std::time::Duration;

use dbos::{DBOS, HttpError, Result, get_api, http, post_api, tracing};
use serde::Deserialize;

use crate::shop::{ORDER_ID_EVENT, PAYMENT_ID_EVENT, PAYMENT_TOPIC, Shop};
use crate::utilities::{Order, OrderStatus, Product, ShopUtilities};

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

#[post_api("/payment_webhook/:key/:status")]
async fn payment_webhook(key: String, status: String) -> Result<i32, HttpError> {
    // Any other word must not cancel the order, nor count as money.
    if !matches!(status.as_str(), "paid" | "failed") {
        return Err(HttpError::new(400, "A payment is either paid or failed"));
    }
    // Only an ID that a customer was given can be paid: not a sold-out checkout, nor another workflow.
    if DBOS::get_event(&key, PAYMENT_ID_EVENT).timeout(Duration::ZERO).await?.flatten().is_none() {
        return Err(HttpError::new(404, format!("Payment {key} not found")));
    }
    // Send the payment status to the checkout workflow.
    DBOS::send(&key, status.clone(), PAYMENT_TOPIC).await?;
    // Wait for the checkout workflow to send an order ID, then return it.
    let Some(order_id) = DBOS::get_event(&key, ORDER_ID_EVENT).await? else {
        tracing::error!("retrieving order ID failed");
        return Err(HttpError::new(500, "Error retrieving order ID"));
    };
    // The first notice in time settled the order. One that says otherwise, or came too late, must not
    // read as a success: the provider would keep the money of a cancelled order.
    let order = find_order(order_id).await?;
    if (status == "paid") == (order.order_status == OrderStatus::CANCELLED) {
        let state = OrderStatus::name(order.order_status);
        return Err(HttpError::new(409, format!("Order {order_id} is {state}: this payment changed nothing")));
    }
    Ok(order_id)
}

#[get_api("/product")]
async fn product() -> Result<Product> {
    ShopUtilities::retrieve_product().await
}

#[get_api("/order/:order_id")]
async fn order(order_id: OrderId) -> Result<Order, HttpError> {
    find_order(order_id.0).await
}

#[get_api("/orders")]
async fn orders() -> Result<Vec<Order>> {
    ShopUtilities::retrieve_orders().await
}

#[post_api("/restock")]
async fn restock() -> Result<&'static str> {
    ShopUtilities::set_inventory(12).await?;
    Ok("")
}

// Here is the crash endpoint. It crashes your app. Trigger it as many times as you want: DBOS always
// comes back, resuming from exactly where it left off!
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

/// An order's number as people write it: digits, the first of them not 0.
#[derive(Deserialize)]
#[serde(try_from = "String")]
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

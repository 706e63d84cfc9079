//! The database operations of the shop, and the dispatch of orders that have been paid for.

use dbos::{DBOS, Error, FromRow, Result, Tx, transaction, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::dispatch_interval;

mod rfc3339;

const PRODUCT_ID: i32 = 1;

/// Where an order stands, by its number in the database.
pub(crate) struct OrderStatus;

impl OrderStatus {
    pub(crate) const PENDING: i32 = 0;
    pub(crate) const DISPATCHED: i32 = 1;
    pub(crate) const PAID: i32 = 2;
    pub(crate) const CANCELLED: i32 = -1;

    pub(crate) fn name(status: i32) -> &'static str {
        match status {
            Self::PENDING => "PENDING",
            Self::DISPATCHED => "DISPATCHED",
            Self::PAID => "PAID",
            _ => "CANCELLED",
        }
    }
}

/// What the shop sells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromRow, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the columns are called so, and the JSON too")]
pub(crate) struct Product {
    product_id: i32,
    product: String,
    description: String,
    inventory: i32,
    price: f64,
}

/// Where a widget is on its way to a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromRow, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the columns are called so, and the JSON too")]
pub(crate) struct Order {
    order_id: i32,
    /// 0 is pending, 2 paid, 1 dispatched, -1 cancelled.
    pub(crate) order_status: i32,
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    last_update_time: i64,
    product_id: i32,
    progress_remaining: i32,
}

pub(crate) struct ShopUtilities;

impl ShopUtilities {
    #[transaction]
    pub(crate) async fn subtract_inventory(tx: &mut Tx) -> Result<()> {
        let num_affected = tx
            .query("UPDATE products SET inventory = inventory - 1 WHERE product_id = $1 AND inventory >= 1")
            .bind(PRODUCT_ID)
            .execute()
            .await?;
        if num_affected == 0 {
            return Err(Error::new("Insufficient Inventory"));
        }
        Ok(())
    }

    #[transaction]
    pub(crate) async fn undo_subtract_inventory(tx: &mut Tx) -> Result<()> {
        tx.query("UPDATE products SET inventory = inventory + 1 WHERE product_id = $1")
            .bind(PRODUCT_ID)
            .execute()
            .await?;
        Ok(())
    }

    #[transaction]
    pub(crate) async fn set_inventory(tx: &mut Tx, inventory: i32) -> Result<()> {
        tx.query("UPDATE products SET inventory = $1 WHERE product_id = $2")
            .bind(inventory)
            .bind(PRODUCT_ID)
            .execute()
            .await?;
        Ok(())
    }

    #[transaction(read_only)]
    pub(crate) async fn retrieve_product(tx: &mut Tx) -> Result<Product> {
        tx.query(
            // One division of two whole numbers is exact to the last digit: 99.99, not 99.98999.
            "SELECT product_id, product, description, inventory, CAST(price_cents AS DOUBLE PRECISION) / 100 AS price
               FROM products
              WHERE product_id = $1",
        )
        .bind(PRODUCT_ID)
        .fetch_optional()
        .await?
        .ok_or_else(|| Error::new(format!("Product {PRODUCT_ID} not found")))
    }

    #[transaction]
    pub(crate) async fn create_order(tx: &mut Tx) -> Result<i32> {
        let now_ms = tx.now_ms();
        let order_id = tx
            .query(
                "INSERT INTO orders (order_status, product_id, last_update_time, progress_remaining)
                 VALUES ($1, $2, $3, 10)
                 RETURNING order_id",
            )
            .bind(OrderStatus::PENDING)
            .bind(PRODUCT_ID)
            .bind(now_ms)
            .fetch_scalar()
            .await?;
        Ok(order_id)
    }

    #[transaction]
    pub(crate) async fn mark_order_paid(tx: &mut Tx, order_id: i32) -> Result<()> {
        let now_ms = tx.now_ms();
        tx.query("UPDATE orders SET order_status = $1, last_update_time = $2 WHERE order_id = $3")
            .bind(OrderStatus::PAID)
            .bind(now_ms)
            .bind(order_id)
            .execute()
            .await?;
        Ok(())
    }

    #[transaction]
    pub(crate) async fn error_order(tx: &mut Tx, order_id: i32) -> Result<()> {
        let now_ms = tx.now_ms();
        tx.query("UPDATE orders SET order_status = $1, last_update_time = $2 WHERE order_id = $3")
            .bind(OrderStatus::CANCELLED)
            .bind(now_ms)
            .bind(order_id)
            .execute()
            .await?;
        Ok(())
    }

    #[transaction(read_only)]
    pub(crate) async fn retrieve_order(tx: &mut Tx, order_id: i32) -> Result<Option<Order>> {
        Ok(tx.query("SELECT * FROM orders WHERE order_id = $1").bind(order_id).fetch_optional().await?)
    }

    #[transaction(read_only)]
    pub(crate) async fn retrieve_orders(tx: &mut Tx) -> Result<Vec<Order>> {
        Ok(tx.query("SELECT * FROM orders ORDER BY order_id").fetch_all().await?)
    }

    #[workflow]
    pub(crate) async fn dispatch_order(order_id: i32) -> Result<()> {
        for _ in 0..10 {
            DBOS::sleep(dispatch_interval()).await;
            ShopUtilities::update_order_progress(order_id).await?;
        }
        Ok(())
    }

    #[transaction]
    pub(crate) async fn update_order_progress(tx: &mut Tx, order_id: i32) -> Result<()> {
        let now_ms = tx.now_ms();
        let order: Order = tx
            .query("SELECT * FROM orders WHERE order_id = $1 AND order_status = $2")
            .bind(order_id)
            .bind(OrderStatus::PAID)
            .fetch_optional()
            .await?
            .ok_or_else(|| Error::new(format!("No PAID order with ID {order_id} found")))?;

        if order.progress_remaining > 1 {
            tx.query("UPDATE orders SET progress_remaining = $1, last_update_time = $2 WHERE order_id = $3")
                .bind(order.progress_remaining - 1)
                .bind(now_ms)
                .bind(order_id)
                .execute()
                .await?;
        } else {
            tx.query(
                "UPDATE orders SET order_status = $1, progress_remaining = 0, last_update_time = $2 WHERE order_id = $3",
            )
            .bind(OrderStatus::DISPATCHED)
            .bind(now_ms)
            .bind(order_id)
            .execute()
            .await?;
        }
        Ok(())
    }
}

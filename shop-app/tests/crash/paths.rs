//! The four ways a checkout can go, and what a customer sees of each.

use std::time::Duration;

use dbos_testkit::http::Response;

use crate::shop::{Branch, Customer};

pub(crate) const CANCELLED: i64 = -1;
pub(crate) const DISPATCHED: i64 = 1;

/// How a checkout goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Path {
    Paid,
    Denied,
    TimedOut,
    SoldOut,
}

impl Path {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Denied => "denied",
            Self::TimedOut => "timed-out",
            Self::SoldOut => "sold-out",
        }
    }

    /// The widgets on the shelf before it begins.
    pub(crate) fn stock(self) -> i64 {
        if self == Self::SoldOut { 0 } else { 12 }
    }

    /// The shop in which the checkout goes this way.
    pub(crate) fn branch(self, database_url: &str) -> Branch {
        let branch = Branch::at(database_url);
        if self == Self::TimedOut { branch.env("WIDGET_STORE_PAYMENT_TIMEOUT_MS", "300") } else { branch }
    }

    /// Goes all the way, through any number of crashes.
    pub(crate) async fn walk(self, customer: &Customer) {
        let checkout = customer.checkout().await;
        if self == Self::SoldOut {
            assert_eq!(checkout.status, 409, "{}", checkout.body);
            return;
        }
        assert_eq!((checkout.status, &checkout.body), (200, &customer.key));
        match self {
            Self::Paid => customer.until_order(&accepted(customer.pay("paid").await), DISPATCHED).await,
            Self::Denied => customer.until_order(&accepted(customer.pay("failed").await), CANCELLED).await,
            Self::TimedOut | Self::SoldOut => until_any_order(customer, CANCELLED).await,
        }
    }

    /// Asks everything again once all is over: nothing may change any more.
    pub(crate) async fn walk_again(self, customer: &Customer) {
        let statuses = [customer.checkout().await, customer.pay("paid").await, customer.pay("failed").await]
            .map(|response| response.status);
        let expected = match self {
            Self::Paid => [200, 200, 409],
            Self::Denied | Self::TimedOut => [200, 409, 200],
            Self::SoldOut => [409, 404, 404],
        };
        assert_eq!(statuses, expected, "checkout, paid and failed after the {} path", self.name());
    }
}

fn accepted(response: Response) -> String {
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

async fn until_any_order(customer: &Customer, status: i64) {
    loop {
        let orders: Vec<serde_json::Value> = customer.insist("GET", "/orders").await.json();
        if orders.iter().any(|order| order["order_status"] == status) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

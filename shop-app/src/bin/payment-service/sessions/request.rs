//! What a shop asks for, checked before anything is stored.

use dbos::HttpError;
use hyper::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Price;

const LONGEST_TEXT: usize = 255;
const LONGEST_URL: usize = 2048;
const MOST_ITEMS: usize = 100;
const LARGEST_QUANTITY: i32 = 1000;

/// What these rules are in a document: texts without control characters, and URLs.
const PLAIN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
const URL: &str = "^http://[A-Za-z0-9][A-Za-z0-9.-]*(:[1-9][0-9]{0,3})?([/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$";

/// What is to be paid for.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct PaymentItem {
    #[schemars(length(max = LONGEST_TEXT), regex(pattern = PLAIN))]
    pub(crate) description: String,
    #[schemars(range(min = 1, max = LARGEST_QUANTITY))]
    pub(crate) quantity: i32,
    pub(crate) price: Price,
}

/// A session that a shop wants, and what becomes of the customer and of the news.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct SessionRequest {
    /// Where the news of its end is sent.
    #[schemars(length(max = LONGEST_URL), regex(pattern = URL))]
    pub(crate) webhook: String,
    /// Where a customer goes who has paid.
    #[schemars(length(max = LONGEST_URL), regex(pattern = URL))]
    pub(crate) success_url: String,
    /// Where a customer goes who has not.
    #[schemars(length(max = LONGEST_URL), regex(pattern = URL))]
    pub(crate) cancel_url: String,
    #[schemars(length(min = 1, max = MOST_ITEMS))]
    pub(crate) items: Vec<PaymentItem>,
    /// What the shop calls it.
    #[schemars(length(max = LONGEST_TEXT), regex(pattern = PLAIN))]
    pub(crate) client_reference_id: Option<String>,
}

impl SessionRequest {
    /// Refuses what could not be kept, or paid.
    pub(crate) fn check(&self) -> Result<(), HttpError> {
        let refused = |reason: String| Err(HttpError::new(400, reason));
        if self.items.is_empty() || self.items.len() > MOST_ITEMS {
            return refused(format!("items must be 1 to {MOST_ITEMS}"));
        }
        for item in &self.items {
            if !is_plain(&item.description, LONGEST_TEXT) {
                return refused(format!("a description has 1 to {LONGEST_TEXT} bytes and no control characters"));
            }
            if !(1..=LARGEST_QUANTITY).contains(&item.quantity) {
                return refused(format!("a quantity is 1 to {LARGEST_QUANTITY}"));
            }
        }
        for (name, url) in
            [("webhook", &self.webhook), ("success_url", &self.success_url), ("cancel_url", &self.cancel_url)]
        {
            if !is_url(url) {
                return refused(format!("{name} must be a URL that begins with http:// and has a host"));
            }
        }
        match &self.client_reference_id {
            Some(id) if !is_plain(id, LONGEST_TEXT) => {
                refused(format!("client_reference_id has 1 to {LONGEST_TEXT} bytes and no control characters"))
            }
            _ => Ok(()),
        }
    }

    /// The whole bill. It fits: quantities, prices and items are bounded.
    pub(crate) fn amount_cents(&self) -> i64 {
        self.items.iter().map(|item| i64::from(item.quantity) * item.price.cents()).sum()
    }
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_url(text: &str) -> bool {
    let uri = text.parse::<Uri>().ok().filter(|_| text.len() <= LONGEST_URL);
    uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()))
}

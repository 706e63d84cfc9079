//! A price: whole cents, written as `10.00`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount with its cents, as `10.00`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^0*[0-9]{1,6}(\.[0-9]{2})?$"))]
pub(crate) struct Price(i64);

/// More than anybody pays here: six digits before the point.
const TOO_MANY_CENTS: i64 = 100_000_000;

impl Price {
    pub(crate) fn of_cents(cents: i64) -> Self {
        Self(cents)
    }

    pub(crate) fn cents(self) -> i64 {
        self.0
    }
}

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(cents) || cents.len() != 2 {
            return Err("a price is digits, a point and two digits");
        }
        let total = format!("{whole}{cents}").parse().ok().filter(|total| *total < TOO_MANY_CENTS);
        total.map(Self).ok_or("a price has six digits before the point at most")
    }
}

impl TryFrom<String> for Price {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_exact_to_the_cent() {
        for (text, cents, written) in
            [("10.00", 1000, "10.00"), ("0.01", 1, "0.01"), ("7", 700, "7.00"), ("999999.99", 99_999_999, "999999.99")]
        {
            let price: Price = text.parse().expect(text);
            assert_eq!((price.cents(), price.to_string().as_str()), (cents, written));
        }
        for wrong in ["", ".", "1.", ".50", "1.5", "1.005", "-1.00", "+1.00", "1e3", "NaN", "1,00", "1000000.00", " 1"]
        {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
    }
}

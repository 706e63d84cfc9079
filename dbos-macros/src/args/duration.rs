//! Durations as people write them: `"500ms"`, `"2s"`, `"1.5m"`, `"1h 30m"`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Lit, Result};

use super::options::Given;

const USAGE: &str = "write a duration as a number and a unit: `\"500ms\"`, `\"2s\"`, `\"1m\"`, `\"1h 30m\"`, `\"7d\"`";

impl Given {
    /// A duration: text that is read here, or an expression of type `Duration`.
    pub(super) fn duration(&self) -> Result<TokenStream> {
        match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                let millis = millis(&text.value()).ok_or_else(|| Error::new_spanned(text, USAGE))?;
                if millis == 0 {
                    return Err(Error::new_spanned(text, format!("`{}` must be longer than nothing", self.key)));
                }
                Ok(quote!(::core::time::Duration::from_millis(#millis)))
            }
            literal @ Expr::Lit(_) => Err(Error::new_spanned(literal, format!("which unit? {USAGE}"))),
            expression => Ok(quote_spanned!(expression.span()=> #expression)),
        }
    }
}

/// Milliseconds in `text`, a sum of numbers with units. `None` if it reads otherwise.
fn millis(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        total += number.parse::<f64>().ok()? * millis_in(unit)?;
        rest = after.trim_start();
    }
    // A hundred years: longer is a slip, and it keeps the sum exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (total <= 3_155_760_000_000.0).then_some(total.round() as u64)
}

fn millis_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 1.0,
        "s" | "sec" | "secs" => 1_000.0,
        "m" | "min" | "mins" => 60_000.0,
        "h" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn units_are_added_up() {
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("2s"), Some(2_000));
        assert_eq!(millis("1.5m"), Some(90_000));
        assert_eq!(millis("1h 30m"), Some(5_400_000));
        assert_eq!(millis(" 7 days "), Some(604_800_000));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "s", "5 parsecs", "1..5s", "-1s", "999999999d"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}

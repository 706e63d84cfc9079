//! The options that say when what failed is tried again: those of steps and of workflows are the same.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::Expr;

use super::options::Given;
use crate::errors::Mistakes;

/// Their names.
const KEYS: [&str; 5] = ["retries", "interval", "backoff", "max_interval", "retry_if"];

#[derive(Default)]
pub(crate) struct RetryArgs {
    pub(crate) retries: Option<u32>,
    /// Expressions of type `Duration`.
    pub(crate) interval: Option<TokenStream>,
    pub(crate) max_interval: Option<TokenStream>,
    pub(crate) backoff: Option<f64>,
    /// A function from the error to whether another attempt may help.
    pub(crate) retry_if: Option<Expr>,
    /// The options that say how to retry.
    details: Vec<Ident>,
}

impl RetryArgs {
    /// Takes `option` if it is one of these.
    pub(super) fn take(&mut self, option: &Given, mistakes: &mut Mistakes) -> bool {
        let key = option.key.to_string();
        if !KEYS.contains(&key.as_str()) {
            return false;
        }
        match key.as_str() {
            "retries" => {
                self.retries = mistakes.keep(option.retries());
                return true;
            }
            "interval" => self.interval = mistakes.keep(option.duration()),
            "backoff" => self.backoff = mistakes.keep(option.factor()),
            "max_interval" => self.max_interval = mistakes.keep(option.duration()),
            _ => self.retry_if = mistakes.keep(option.value().cloned()),
        }
        self.details.push(option.key.clone());
        true
    }

    /// Notes those that mean nothing, because nothing is retried.
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        if self.retries.is_none() {
            for key in &self.details {
                mistakes.at(
                    key.to_token_stream(),
                    format!("`{key}` says how to retry, but nothing is retried; add `retries = 3`"),
                );
            }
        }
    }

    /// Whether there may be more than one attempt.
    pub(crate) fn may_run_again(&self) -> bool {
        self.retries.is_some_and(|retries| retries > 0)
    }
}

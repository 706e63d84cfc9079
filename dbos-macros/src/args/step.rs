//! `#[step(…)]`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, Ident, LitStr};

use super::options;
use crate::errors::Mistakes;

const KNOWN: [&str; 7] = [
    "name = \"…\"",
    "retries = 3",
    "interval = \"1s\"",
    "backoff = 2.0",
    "max_interval = \"1h\"",
    "timeout = \"30s\"",
    "retry_if = is_temporary",
];

#[derive(Default)]
pub(crate) struct StepArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) retries: Option<u32>,
    /// Expressions of type `Duration`.
    pub(crate) interval: Option<TokenStream>,
    pub(crate) max_interval: Option<TokenStream>,
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) backoff: Option<f64>,
    /// A function from the error to whether another attempt may help.
    pub(crate) retry_if: Option<Expr>,
}

impl StepArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        let mut needs_retries: Vec<Ident> = Vec::new();
        for option in options::read(tokens, &KNOWN, mistakes) {
            let key = option.key.to_string();
            if ["interval", "backoff", "max_interval", "retry_if"].contains(&key.as_str()) {
                needs_retries.push(option.key.clone());
            }
            match key.as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "retries" => args.retries = mistakes.keep(option.retries()),
                "interval" => args.interval = mistakes.keep(option.duration()),
                "backoff" => args.backoff = mistakes.keep(option.factor()),
                "max_interval" => args.max_interval = mistakes.keep(option.duration()),
                "timeout" => args.timeout = mistakes.keep(option.duration()),
                _ => args.retry_if = mistakes.keep(option.value().cloned()),
            }
        }
        if args.retries.is_none() {
            for key in needs_retries {
                mistakes.at(
                    key.to_token_stream(),
                    format!("`{key}` says how to retry, but nothing is retried; add `retries = 3`"),
                );
            }
        }
        args
    }

    /// Whether the body may run more than once in one call.
    pub(crate) fn may_run_again(&self) -> bool {
        self.retries.is_some_and(|retries| retries > 0)
    }
}

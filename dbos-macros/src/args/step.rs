//! `#[step(…)]`.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::{RetryArgs, options};
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
    pub(crate) retry: RetryArgs,
    /// An expression of type `Duration`.
    pub(crate) timeout: Option<TokenStream>,
}

impl StepArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            if args.retry.take(&option, mistakes) {
                continue;
            }
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                _ => args.timeout = mistakes.keep(option.duration()),
            }
        }
        args.retry.check(mistakes);
        args
    }
}

//! `#[workflow(…)]`.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::options;
use crate::errors::Mistakes;

const KNOWN: [&str; 4] = ["name = \"…\"", "max_recovery_attempts = 100", "timeout = \"1h\"", "allow_nondeterminism"];

#[derive(Default)]
pub(crate) struct WorkflowArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) max_recovery_attempts: Option<u32>,
    /// An expression of type `Duration`.
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) allow_nondeterminism: bool,
}

impl WorkflowArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "max_recovery_attempts" => args.max_recovery_attempts = mistakes.keep(option.count(1)),
                "timeout" => args.timeout = mistakes.keep(option.duration()),
                _ => args.allow_nondeterminism = mistakes.keep(option.flag()).is_some(),
            }
        }
        args
    }
}

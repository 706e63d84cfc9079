//! `#[dbos::main(…)]`.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::options;
use crate::errors::Mistakes;

const KNOWN: [&str; 3] = ["name = \"…\"", "migrations = \"migrations\"", "supervise"];

#[derive(Default)]
pub(crate) struct MainArgs {
    pub(crate) name: Option<LitStr>,
    /// A folder, from the package's own.
    pub(crate) migrations: Option<LitStr>,
    pub(crate) supervise: bool,
}

impl MainArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "migrations" => args.migrations = mistakes.keep(option.text()),
                _ => args.supervise = mistakes.keep(option.flag()).is_some(),
            }
        }
        args
    }
}

//! `#[transaction(…)]`.

use proc_macro2::TokenStream;
use syn::{Error, Ident, LitStr, Result};

use super::options::{self, Given};
use crate::errors::Mistakes;

const KNOWN: [&str; 3] = ["name = \"…\"", "isolation = \"serializable\"", "read_only"];

#[derive(Default)]
pub(crate) struct TransactionArgs {
    pub(crate) name: Option<LitStr>,
    /// A variant of `Isolation`.
    pub(crate) isolation: Option<Ident>,
    pub(crate) read_only: bool,
}

impl TransactionArgs {
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            match option.key.to_string().as_str() {
                "name" => args.name = mistakes.keep(option.name()),
                "isolation" => args.isolation = mistakes.keep(isolation(&option)),
                _ => args.read_only = mistakes.keep(option.flag()).is_some(),
            }
        }
        args
    }
}

fn isolation(option: &Given) -> Result<Ident> {
    let text = option.text()?;
    let variant = match text.value().to_ascii_lowercase().as_str() {
        "serializable" => "Serializable",
        "repeatable read" => "RepeatableRead",
        "read committed" => "ReadCommitted",
        _ => {
            return Err(Error::new_spanned(
                text,
                "`isolation` is `\"serializable\"`, `\"repeatable read\"` or `\"read committed\"`",
            ));
        }
    };
    Ok(Ident::new(variant, text.span()))
}

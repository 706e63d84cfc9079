//! Collects what is wrong with an annotated item, so that all of it is reported in one build.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Error, Result};

use crate::function::Function;

/// The mistakes found so far, each at the tokens it is about.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    /// Notes a mistake at `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.add(Error::new_spanned(tokens, message));
    }

    /// Notes a mistake that was found elsewhere.
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Takes the value out of a result, or notes its mistake and goes on.
    pub(crate) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// `Ok` if nothing was wrong.
    pub(crate) fn check(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Refuses `attribute` where `dbos-runtime` is built without what the attribute's code calls.
pub(crate) fn check_http(attribute: &str, tokens: impl ToTokens) -> Result<()> {
    if cfg!(feature = "http") {
        return Ok(());
    }
    Err(Error::new_spanned(
        tokens,
        format!("`#[{attribute}]` needs the cargo feature `http` of dbos-runtime; turn it on"),
    ))
}

/// What is emitted instead of a failed expansion: the errors, and the item as the user wrote it, so
/// that the rest of the crate still finds the function.
pub(crate) fn report(error: &Error, item: TokenStream) -> TokenStream {
    let errors = error.to_compile_error();
    let mut entry = None;
    let item = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => {
            let mut function = function.without_our_attributes().awaitable();
            if function.signature.ident == "main" {
                // An entry point may be neither async nor take arguments, which the compiler would repeat.
                function.signature.ident = Ident::new("__main", function.signature.ident.span());
                entry = Some(quote!(
                    fn main() {}
                ));
            }
            function.into_token_stream()
        }
        Err(_) => item,
    };
    quote! {
        #errors
        #[allow(unused, clippy::unused_async)]
        #item
        #entry
    }
}

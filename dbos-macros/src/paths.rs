//! The paths that generated code names. Everything goes through `::dbos`, so an expansion compiles
//! whatever the user has imported or shadowed.
//!
//! A span says where an error is shown, and also which variables a name can see: code that stands at the user's span takes
//! the names of our own variables as `#name`, or it would not find them where the user's code comes from a `macro_rules!`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// `::dbos::name`, pointing at `span` in error messages.
pub(crate) fn public(name: &str, span: Span) -> TokenStream {
    let name = syn::Ident::new(name, span);
    quote_spanned!(span=> ::dbos::#name)
}

/// `::dbos::__private::name`, pointing at `span` in error messages.
pub(crate) fn private(name: &str, span: Span) -> TokenStream {
    let name = syn::Ident::new(name, span);
    quote_spanned!(span=> ::dbos::__private::#name)
}

/// `::dbos::requirements::name`: what the compiler may name to the user, pointing at `span` in error messages.
pub(crate) fn requirement(name: &str, span: Span) -> TokenStream {
    let name = syn::Ident::new(name, span);
    quote_spanned!(span=> ::dbos::requirements::#name)
}

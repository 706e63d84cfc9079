//! The options of an attribute as a value of the struct that holds them.

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::args::RetryArgs;
use crate::paths::private;

/// The struct at `path` with those of its fields that are given; the others are as in its `DEFAULT`.
pub(super) fn options(path: &TokenStream, fields: &[Option<TokenStream>]) -> TokenStream {
    let given: TokenStream = fields.iter().flatten().cloned().collect();
    match fields.iter().flatten().count() {
        0 => quote!(#path::DEFAULT),
        number if number == fields.len() => quote!(#path { #given }),
        _ => quote!(#path { #given ..#path::DEFAULT }),
    }
}

/// The field `retry`, if anything is retried.
pub(super) fn retry(args: &RetryArgs, span: Span) -> Option<TokenStream> {
    let retries = args.retries?;
    let fields = [
        Some(quote!(retries: #retries,)),
        args.interval.as_ref().map(|interval| quote!(interval: #interval,)),
        args.backoff.map(|backoff| quote!(backoff: #backoff,)),
        args.max_interval.as_ref().map(|interval| quote!(max_interval: #interval,)),
    ];
    let policy = options(&private("RetryPolicy", span), &fields);
    Some(quote!(retry: #policy,))
}

/// The field `timeout`, if there is one.
pub(super) fn timeout(duration: Option<&TokenStream>) -> Option<TokenStream> {
    duration.map(|duration| quote!(timeout: ::core::option::Option::Some(#duration),))
}

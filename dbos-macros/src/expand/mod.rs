//! One file per attribute: from the checked function to the generated code.

mod authenticator;
mod binding;
mod codec;
mod describe;
mod from_row;
mod main;
mod migrations;
mod options;
mod queue;
mod repeated_body;
mod route;
mod step;
mod transaction;
mod workflow;
mod workflows;

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod snapshots;

pub(crate) use authenticator::authenticator;
pub(crate) use from_row::from_row;
pub(crate) use main::main;
pub(crate) use queue::queue;
pub(crate) use route::route;
pub(crate) use step::step;
pub(crate) use transaction::transaction;
pub(crate) use workflow::workflow;
pub(crate) use workflows::workflows;

use proc_macro2::TokenStream;
use syn::Result;

use crate::errors::report;

/// Runs one expansion; if it fails, reports every mistake and keeps the item.
pub(crate) fn or_keep(item: TokenStream, expand: impl FnOnce(TokenStream) -> Result<TokenStream>) -> TokenStream {
    expand(item.clone()).unwrap_or_else(|error| report(&error, item))
}

//! What a route says of itself for the OpenAPI document: its doc comment, its arguments, its answer.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use super::binding::Bound;
use super::route::Callee;
use crate::args::RouteArgs;
use crate::function::Function;
use crate::paths::private;

/// The function that describes the route.
pub(super) fn describe(route: &RouteArgs, function: &Function, arguments: &[Bound], callee: &Callee) -> TokenStream {
    let span = function.signature.ident.span();
    let schemas = private("schema_tiers", span);
    let words = words(&function.attributes);
    let says = (!words.is_empty()).then(|| quote!(__operation.says(#words);));
    let once = (!matches!(callee, Callee::Handler)).then(|| quote!(__operation.runs_once();));
    let arguments = arguments.iter().map(|argument| argument.describe_for(route));
    let answer = answer(function);
    quote! {
        |__operation| {
            #[allow(unused_imports)]
            use #schemas::*;
            #says
            #once
            #(#arguments)*
            #answer
        }
    }
}

/// The doc comment, without the blank after each `///`.
fn words(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned()).collect();
    lines.join("\n")
}

/// Takes the return type apart, from outside to inside.
fn answer(function: &Function) -> TokenStream {
    let output = function.output();
    let span = output.span();
    let (described, tiers) = (private("Described", span), private("answer_tiers", span));
    let (operation, answer) = (quote!(__operation), quote!(__answer));
    quote_spanned! {span=>
        #[allow(unused_imports)]
        use #tiers::*;
        let #answer = (&&#described::<#output>::NEW).success(#operation);
        let #answer = (&&#answer).value(#operation);
        let #answer = (&&#answer).something(#operation);
        (&&&&#answer).answer(#operation);
    }
}

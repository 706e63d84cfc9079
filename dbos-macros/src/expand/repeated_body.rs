//! The body of a step or transaction, written inline so that it may borrow, use `self` and be
//! generic; and the arguments it gets anew for each attempt.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, Type, parse_quote};

use crate::function::Function;
use crate::function::argument::{Access, Argument};
use crate::paths::requirement;

/// An `async` block around the user's body whose output is `output`, so that `?` and `return` in it
/// work as in a function.
pub(super) fn typed_body(body: &TokenStream, output: &Type) -> TokenStream {
    quote! {
        async move {
            // Never taken: it tells the compiler what the block returns.
            if let ::core::option::Option::Some(__outcome) = ::core::option::Option::None::<#output> {
                return __outcome;
            }
            #[allow(unused_braces, clippy::let_unit_value)]
            let __outcome: #output = #body;
            #[allow(unreachable_code, clippy::let_and_return)]
            __outcome
        }
    }
}

/// Gives the outer function's parameters their plain names; the body's patterns are bound inside.
pub(super) fn name_parameters(function: &mut Function, arguments: &[Argument]) {
    let typed = function.signature.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    for (parameter, argument) in typed.zip(arguments) {
        let name = &argument.name;
        *parameter.pat = parse_quote!(#name);
    }
}

/// Binds the arguments for a body that runs once: the patterns of those that are no plain name.
pub(super) fn bind_once(arguments: &[Argument]) -> TokenStream {
    arguments
        .iter()
        .filter(|argument| !is_plain(argument))
        .map(|Argument { name, pattern, .. }| quote!(let #pattern = #name;))
        .collect()
}

/// Binds the arguments for one attempt of several: owned ones are cloned, exclusive references lent.
pub(super) fn bind_again(arguments: &[Argument]) -> TokenStream {
    let bind = |argument: &Argument| {
        let Argument { name, pattern, ty, .. } = argument;
        match argument.reference() {
            Some(Access::Shared) if is_plain(argument) => TokenStream::new(),
            Some(Access::Shared) => quote!(let #pattern = #name;),
            Some(Access::Exclusive) => quote!(let #pattern = &mut *#name;),
            None => {
                let repeatable = requirement("repeatable", ty.span());
                quote_spanned!(ty.span()=> let #pattern = #repeatable(&#name);)
            }
        }
    };
    arguments.iter().map(bind).collect()
}

/// Whether the parameter as named by us binds just what the user's pattern does.
fn is_plain(argument: &Argument) -> bool {
    matches!(&argument.pattern, Pat::Ident(binding) if binding.mutability.is_none() && binding.by_ref.is_none() && binding.subpat.is_none())
}

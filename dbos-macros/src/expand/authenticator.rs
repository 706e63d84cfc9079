//! `#[authenticator]`: the function that says who sends a request.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Result, ReturnType};

use super::workflow::check_owner;
use crate::errors::{Mistakes, check_http};
use crate::function::Function;
use crate::paths::private;

/// Expands `#[authenticator] item`.
pub(crate) fn authenticator(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    let function = Function::read("authenticator", item)?;
    mistakes.keep(check_http("authenticator", &function.signature.ident));
    if !args.is_empty() {
        mistakes.at(args, "`#[authenticator]` takes no options");
    }
    function.check_form("authenticator", &mut mistakes);
    function.check_not_generic("authenticator", "a program has only one", &mut mistakes);
    check_owner("authenticator", &function, &mut mistakes);
    if let Some(argument) = function.signature.inputs.first() {
        mistakes.at(
            argument,
            "an authenticator takes no arguments; it looks at the request with `http::bearer_token()` or `http::header(\"…\")`",
        );
    }
    if matches!(function.signature.output, ReturnType::Default) {
        mistakes.at(
            &function.signature.ident,
            "an authenticator says who asks; write `-> Result<Option<Identity>, HttpError>`",
        );
    }
    mistakes.check()?;
    Ok(expand(&function))
}

fn expand(function: &Function) -> TokenStream {
    let Function { visibility, signature, body, .. } = function;
    let (outer_attributes, body_attributes) = function.split_attributes();
    let (ident, output) = (&signature.ident, &signature.output);
    let (span, name) = (ident.span(), function.name());
    let [inventory, entry, identified] = ["inventory", "Authenticator", "identified"].map(|item| private(item, span));
    let outcome = quote!(__outcome);
    let identified = quote_spanned!(output.span()=> #identified(#outcome));
    quote! {
        #(#outer_attributes)*
        #[allow(dead_code)]
        #visibility async fn #ident() #output {
            #(#body_attributes)*
            #[allow(clippy::unused_async)]
            async fn __body() #output #body
            #inventory::submit! {
                #entry {
                    function: #name,
                    file: ::core::file!(),
                    line: ::core::line!(),
                    identify: || ::std::boxed::Box::pin(async {
                        let #outcome = __body().await;
                        #identified
                    }),
                }
            }
            __body().await
        }
    }
}

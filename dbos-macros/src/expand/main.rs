//! `#[dbos::main]`: the server binary around the user's `async fn main`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Result, ReturnType};

use super::migrations::{Migrations, read};
use crate::args::MainArgs;
use crate::errors::{Mistakes, check_http};
use crate::function::Function;
use crate::paths::{private, requirement};

/// Expands `#[dbos::main(args)] item`.
pub(crate) fn main(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    let function = Function::read("dbos::main", item)?;
    check_http("dbos::main", &function.signature.ident)?;
    let args = MainArgs::read(args, &mut mistakes);
    check(&function, &mut mistakes);
    let migrations = match &args.migrations {
        Some(folder) => mistakes.keep(read(folder)),
        None => Some(Migrations::default()),
    };
    mistakes.check()?;
    let migrations = migrations.expect("unreadable migrations are a mistake");
    Ok(expand(&args, &function, &migrations))
}

fn check(function: &Function, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    if signature.asyncness.is_none() {
        mistakes.at(signature.fn_token, "`#[dbos::main]` needs an `async fn`; write `async fn main()`");
    }
    if signature.ident != "main" {
        mistakes.at(&signature.ident, "`#[dbos::main]` makes the program's entry point; name it `main`");
    }
    if let Some(argument) = signature.inputs.first() {
        mistakes.at(argument, "`main` takes no arguments; the command line is read for you");
    }
    if let Some(parameter) = signature.generics.params.first() {
        mistakes.at(parameter, "`main` cannot be generic");
    }
}

fn expand(args: &MainArgs, function: &Function, migrations: &Migrations) -> TokenStream {
    let span = function.signature.ident.span();
    let (run, application) = (private("run", span), private("Application", span));
    let attributes = &function.attributes;
    let (output, body) = (&function.signature.output, &function.body);
    let name = args.name.as_ref().map_or_else(binary_name, |name| quote!(#name));
    let migrations = migrations.expand(span);
    let (port, admin_port) = (maybe(args.port), maybe(args.admin_port));
    let supervise = args.supervise;
    let started = started(output);
    quote! {
        #(#attributes)*
        fn main() -> ::std::process::ExitCode {
            #[allow(clippy::unused_async)]
            async fn __started() #output #body
            #run(#application {
                name: #name,
                version: ::core::env!("CARGO_PKG_VERSION"),
                migrations: #migrations,
                port: #port,
                admin_port: #admin_port,
                supervise: #supervise,
                started: || ::std::boxed::Box::pin(async { #started }),
            })
        }
    }
}

fn maybe(port: Option<u16>) -> TokenStream {
    match port {
        Some(port) => quote!(::core::option::Option::Some(#port)),
        None => quote!(::core::option::Option::None),
    }
}

/// The name of the binary that is compiled; examples and tests have only the crate's.
fn binary_name() -> TokenStream {
    quote! {
        match ::core::option_env!("CARGO_BIN_NAME") {
            ::core::option::Option::Some(__name) => __name,
            ::core::option::Option::None => ::core::env!("CARGO_CRATE_NAME"),
        }
    }
}

/// Runs the user's body; an error of it stops the program before it serves.
fn started(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote! {
            __started().await;
            ::core::result::Result::Ok(())
        },
        ReturnType::Type(_, output) => {
            let outcome = requirement("main_outcome", output.span());
            quote_spanned!(output.span()=> #outcome(__started().await))
        }
    }
}

//! `#[transaction]`: a step whose first argument is the connection, supplied by the runtime and
//! absent from the caller's signature.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, Result, Type};

use super::codec::{codec, database_error};
use super::repeated_body::{bind_again, typed_body};
use super::route::{self, Routes};
use super::step::{recorded_name, step_function};
use crate::args::TransactionArgs;
use crate::errors::Mistakes;
use crate::function::argument::{Argument, takes_self_by_value};
use crate::function::{Function, ungrouped};
use crate::paths::{private, public, requirement};

const USAGE: &str = "a transaction's first argument is its connection: `tx: &mut Tx`, `tx: &mut sqlx::PgConnection` or `tx: &mut sqlx::SqliteConnection`";

/// The connection as the body wants it.
struct Connection {
    pattern: Pat,
    /// The type behind `&mut`.
    ty: Type,
}

/// Expands `#[transaction(args)] item`.
pub(crate) fn transaction(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    let mut function = Function::read("transaction", item)?;
    if let Some(passed) = route::let_routes_pass("transaction", &args, &function) {
        return Ok(passed);
    }
    let args = TransactionArgs::read(args, &mut mistakes);
    let declared = route::take(&mut function, &mut mistakes);
    function.check_form("transaction", &mut mistakes);
    function.check_output(&mut mistakes);
    if let Some(receiver) = function.signature.receiver().filter(|receiver| takes_self_by_value(receiver)) {
        mistakes.at(receiver, "a transaction may run more than once, so it cannot use up `self`; take `&self`");
    }
    function.take_state(&mut mistakes);
    let connection = take_connection(&mut function, &mut mistakes);
    let (_, arguments) = function.arguments();
    let routes = Routes::check_step(declared, "transaction", &function, &arguments, &mut mistakes);
    mistakes.check()?;
    function.strip_bindings();

    let connection = connection.expect("a missing connection is a mistake");
    let call = call(&args, &function, &connection, &arguments);
    Ok(step_function(function, &arguments, &routes, "transaction", args.name.as_ref(), &call))
}

/// Takes the connection out of the signature.
fn take_connection(function: &mut Function, mistakes: &mut Mistakes) -> Option<Connection> {
    let inputs = &mut function.signature.inputs;
    let position = usize::from(matches!(inputs.first(), Some(FnArg::Receiver(_))));
    let Some(FnArg::Typed(argument)) = inputs.iter().nth(position).cloned() else {
        mistakes.at(&function.signature.ident, USAGE);
        return None;
    };
    match ungrouped(&argument.ty).clone() {
        Type::Reference(reference) if reference.mutability.is_some() => {
            let others = inputs.iter().enumerate().filter(|(other, _)| *other != position);
            *inputs = others.map(|(_, input)| input.clone()).collect();
            Some(Connection { pattern: *argument.pat, ty: *reference.elem })
        }
        other => {
            mistakes.at(other, USAGE);
            None
        }
    }
}

/// Takes the step id and builds the call.
fn call(args: &TransactionArgs, function: &Function, connection: &Connection, arguments: &[Argument]) -> TokenStream {
    let span = function.signature.ident.span();
    let output = function.output();
    let name = recorded_name(function, args.name.as_ref());
    let (step, step_options, step_call) =
        (private("Step", span), private("StepOptions", span), public("StepCall", span));
    let options = options(args, span);
    let codec = codec(&output);
    let attempt = attempt(function, connection, arguments, &output);
    // At the user's name, so that "future cannot be sent between threads" points there.
    let taken = quote!(__step, __codec);
    let built = quote_spanned!(span=> #step_call::new(#taken, async move { loop { #attempt } }));
    quote! {
        let __step = #step::here(#name, #step_options::DEFAULT);
        let __codec = #codec;
        let __transaction = __step.transaction(#options);
        #built
    }
}

/// BEGIN, the body, and then COMMIT with the checkpoint, or another attempt.
fn attempt(function: &Function, connection: &Connection, arguments: &[Argument], output: &Type) -> TokenStream {
    let Connection { pattern, ty } = connection;
    let bindings = bind_again(arguments);
    let body = typed_body(&function.body, output);
    let database_error = database_error(output, &quote!(__outcome));
    let kind = requirement("connection", ty.span());
    let kind = quote_spanned!(ty.span()=> #kind::<#ty>());
    quote! {
        let mut __tx = __transaction.begin().await;
        let __limited: ::core::option::Option<#output> = __transaction
            .limit({
                #bindings
                let #pattern: &mut #ty = __transaction.connection(#kind, &mut __tx).await;
                #body
            })
            .await;
        let ::core::option::Option::Some(__outcome) = __limited else {
            continue;
        };
        let __retry: bool = __transaction.is_transient(#database_error);
        let __recorded = __codec.encode(&__outcome);
        ::core::mem::drop(__outcome);
        if let ::core::option::Option::Some(__done) = __transaction.finish(__tx, __recorded, __retry).await {
            break __done;
        }
    }
}

fn options(args: &TransactionArgs, span: Span) -> TokenStream {
    let (options, isolation) = (private("TransactionOptions", span), private("Isolation", span));
    let level = args.isolation.as_ref().map_or_else(|| quote!(Serializable), |level| quote!(#level));
    let read_only = args.read_only;
    quote!(#options { isolation: #isolation::#level, read_only: #read_only })
}

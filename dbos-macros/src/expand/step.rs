//! `#[step]`: a function that takes its step id when it is called and runs its body when it is awaited.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Result, Type, parse_quote_spanned};

use super::codec::codec;
use super::options;
use super::repeated_body::{bind_again, bind_once, name_parameters, typed_body};
use super::route::{self, Callee, Routes};
use crate::args::StepArgs;
use crate::errors::Mistakes;
use crate::function::Function;
use crate::function::argument::{Argument, takes_self_by_value};
use crate::function::lifetimes::name_lifetimes;
use crate::paths::{private, public, requirement};

/// Expands `#[step(args)] item`.
pub(crate) fn step(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    let mut function = Function::read("step", item)?;
    if let Some(passed) = route::let_routes_pass("step", &args, &function) {
        return Ok(passed);
    }
    let args = StepArgs::read(args, &mut mistakes);
    let declared = route::take(&mut function, &mut mistakes);
    function.check_form("step", &mut mistakes);
    function.check_output(&mut mistakes);
    function.take_state(&mut mistakes);
    let (receiver, arguments) = function.arguments();
    if args.retry.may_run_again()
        && let Some(receiver) = receiver.filter(|receiver| takes_self_by_value(receiver))
    {
        mistakes.at(receiver, "a step with retries may run more than once, so it cannot use up `self`; take `&self`");
    }
    let routes = Routes::check_step(declared, "step", &function, &arguments, &mut mistakes);
    mistakes.check()?;
    function.strip_bindings();

    let call = call(&args, &function, &arguments);
    Ok(step_function(function, &arguments, &routes, "step", args.name.as_ref(), &call))
}

/// The function around a step or transaction: same name and arguments, but it gives back a call.
pub(super) fn step_function(
    mut function: Function,
    arguments: &[Argument],
    routes: &Routes,
    kind: &str,
    name: Option<&syn::LitStr>,
    call: &TokenStream,
) -> TokenStream {
    let registration = registration(&function, kind, name);
    let submitted = routes.submit(&function, &Callee::Step);
    let output = function.output();
    let span = function.signature.ident.span();
    name_parameters(&mut function, arguments);
    let lifetime = name_lifetimes(&mut function.signature);
    let step_call = public("StepCall", span);
    function.signature.asyncness = None;
    function.signature.output = parse_quote_spanned!(output.span()=> -> #step_call<#lifetime, #output>);

    let Function { attributes, visibility, signature, .. } = &function;
    let body = if submitted.is_empty() {
        quote!(#registration #call)
    } else {
        // Routes call the function from items of their own, which cannot name a method of the
        // surrounding type; so the call moves into an item they can name.
        let mut inner = signature.clone();
        inner.ident = syn::Ident::new("__call", span);
        let names = arguments.iter().map(|argument| &argument.name);
        quote! {
            #registration
            #[track_caller]
            #inner { #call }
            #(#submitted)*
            __call(#(#names),*)
        }
    };
    quote! {
        #(#attributes)*
        #[track_caller]
        #visibility #signature { #body }
    }
}

/// The entry in the list of functions; nothing looks it up, so generic and borrowing steps have one too.
fn registration(function: &Function, kind: &str, name: Option<&syn::LitStr>) -> TokenStream {
    let span = function.signature.ident.span();
    let name = recorded_name(function, name);
    let (inventory, step_function) = (private("inventory", span), private("StepFunction", span));
    quote! {
        #inventory::submit! {
            #step_function {
                name: #name,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
                kind: #kind,
            }
        }
    }
}

/// The name a checkpoint is recorded under.
pub(super) fn recorded_name(function: &Function, name: Option<&syn::LitStr>) -> String {
    name.map_or_else(|| function.name(), syn::LitStr::value)
}

/// Takes the step id and builds the call.
fn call(args: &StepArgs, function: &Function, arguments: &[Argument]) -> TokenStream {
    let span = function.signature.ident.span();
    let output = function.output();
    let name = recorded_name(function, args.name.as_ref());
    let (step, step_call) = (private("Step", span), public("StepCall", span));
    let fields = [options::retry(&args.retry, span), options::timeout(args.timeout.as_ref())];
    let options = options::options(&private("StepOptions", span), &fields);
    let codec = codec(&output);
    let run = if args.retry.may_run_again() {
        run_with_retries(args, function, arguments, &output)
    } else {
        run_once(args, function, arguments, &output)
    };
    // At the user's name, so that "future cannot be sent between threads" points there.
    let taken = quote!(__step, __codec);
    let built = quote_spanned!(span=> #step_call::new(#taken, async move { #run }));
    quote! {
        let __step = #step::here(#name, #options);
        let __codec = #codec;
        let __attempts = __step.attempts();
        #built
    }
}

fn run_once(args: &StepArgs, function: &Function, arguments: &[Argument], output: &Type) -> TokenStream {
    let bindings = bind_once(arguments);
    let outcome = outcome(args, &typed_body(&function.body, output), output);
    quote! {
        #bindings
        __attempts.begin();
        let __outcome: #output = #outcome;
        __codec.encode(&__outcome)
    }
}

fn run_with_retries(args: &StepArgs, function: &Function, arguments: &[Argument], output: &Type) -> TokenStream {
    let bindings = bind_again(arguments);
    let body = typed_body(&function.body, output);
    let outcome = outcome(args, &quote!({ #bindings #body }), output);
    let worth_retrying = match &args.retry.retry_if {
        None => quote!(true),
        Some(retry_if) => {
            let error = quote!(__error);
            let asked = quote_spanned!(retry_if.span()=> (#retry_if)(#error));
            quote! {
                match &__outcome {
                    ::core::result::Result::Err(#error) => #asked,
                    ::core::result::Result::Ok(_) => false,
                }
            }
        }
    };
    quote! {
        loop {
            __attempts.begin();
            let __outcome: #output = #outcome;
            let __recorded = __codec.encode(&__outcome);
            let __retry: bool = #worth_retrying;
            ::core::mem::drop(__outcome);
            if let ::core::option::Option::Some(__done) = __attempts.finish(__recorded, __retry).await {
                break __done;
            }
        }
    }
}

/// One attempt: the body, cut off at its timeout if it has one.
fn outcome(args: &StepArgs, body: &TokenStream, output: &Type) -> TokenStream {
    let span = output.span();
    let failure = requirement("failure", span);
    if args.timeout.is_none() {
        return quote!(#body.await);
    }
    let failure = quote_spanned!(span=> #failure::<#output>());
    quote! {
        match __attempts.limit(#body).await {
            ::core::result::Result::Ok(__outcome) => __outcome,
            ::core::result::Result::Err(__error) => #failure(__error),
        }
    }
}

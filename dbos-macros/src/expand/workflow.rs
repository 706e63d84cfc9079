//! `#[workflow]`: a function that gives back a call, and a static definition by which a restarted
//! process finds the body again.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Result, ReturnType, Type};

use super::codec::{codec, comparison};
use super::options;
use super::route::{self, Callee, Routes};
use crate::args::{ScheduleArgs, WorkflowArgs};
use crate::errors::Mistakes;
use crate::function::argument::Argument;
use crate::function::{Function, owner};
use crate::nondeterminism::warnings;
use crate::paths::{private, public, requirement};
use crate::source_hash::source_hash;

const WHY_OWNED: &str = "after a restart only its stored arguments are left";

/// The arguments a workflow may have: the runtime encodes tuples up to this size.
const MOST_ARGUMENTS: usize = 12;

/// A workflow whose attribute and signature are in order.
struct Workflow {
    args: WorkflowArgs,
    function: Function,
    arguments: Vec<Argument>,
    routes: Routes,
}

/// Expands `#[workflow(args)] item`.
pub(crate) fn workflow(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function = Function::read("workflow", item)?;
    if let Some(passed) = route::let_routes_pass("workflow", &args, &function) {
        return Ok(passed);
    }
    Ok(Workflow::check(args, function)?.expand())
}

impl Workflow {
    fn check(args: TokenStream, mut function: Function) -> Result<Self> {
        let mut mistakes = Mistakes::default();
        let args = WorkflowArgs::read(args, &mut mistakes);
        let declared = route::take(&mut function, &mut mistakes);
        function.check_form("workflow", &mut mistakes);
        function.check_output(&mut mistakes);
        function.check_not_generic("workflow", "after a restart it is found again by its name alone", &mut mistakes);
        check_owner("workflow", &function, &mut mistakes);
        function.take_state(&mut mistakes);
        let arguments = function.owned_arguments("workflow", WHY_OWNED, &mut mistakes);
        if let Some(extra) = arguments.get(MOST_ARGUMENTS) {
            mistakes
                .at(&extra.ty, format!("a workflow takes up to {MOST_ARGUMENTS} arguments; put them into a struct"));
        }
        if matches!(function.signature.output, ReturnType::Default) {
            mistakes.at(
                &function.signature.ident,
                "a workflow returns a `Result`, which is how it says that it was cancelled; write `-> dbos::Result<()>`",
            );
        }
        if args.schedule.is_some() && arguments.len() != 1 {
            mistakes.at(
                &function.signature.ident,
                "a scheduled workflow takes its tick and nothing else; write `(tick: dbos::Tick)`",
            );
        }
        let routes = Routes::check(declared, &arguments, &mut mistakes);
        mistakes.check()?;
        function.strip_bindings();
        Ok(Self { args, function, arguments, routes })
    }

    fn expand(&self) -> TokenStream {
        let Function { visibility, signature, body, .. } = &self.function;
        let (outer_attributes, body_attributes) = self.function.split_attributes();
        let ident = &signature.ident;
        let output = self.function.output();
        let call = public("WorkflowCall", ident.span());
        let names: Vec<_> = self.arguments.iter().map(|argument| &argument.name).collect();
        let types: Vec<_> = self.arguments.iter().map(|argument| &argument.ty).collect();
        let inputs = &signature.inputs;
        let warnings = if self.args.allow_nondeterminism { TokenStream::new() } else { warnings(body.clone()) };
        let definition = self.definition(&output);
        let routes = self.routes.submit(&self.function, &Callee::Workflow);

        quote! {
            #(#outer_attributes)*
            #[track_caller]
            #visibility fn #ident(#(#names: #types),*) -> #call<#output> {
                #warnings
                #(#body_attributes)*
                #[allow(clippy::unused_async, clippy::too_many_lines)]
                async fn __body(#inputs) -> #output #body
                #definition
                #(#routes)*
                __WORKFLOW.call((#(#names,)*))
            }
        }
    }

    /// The static behind the function, and its entry in the registry.
    fn definition(&self, output: &Type) -> TokenStream {
        let ident = &self.function.signature.ident;
        let span = ident.span();
        let names: Vec<_> = self.arguments.iter().map(|argument| &argument.name).collect();
        let types: Vec<_> = self.arguments.iter().map(|argument| &argument.ty).collect();
        let (definition, registered) = (private("WorkflowDefinition", span), private("Registered", span));
        let function = self.recorded_function();
        let options = self.options();
        let arguments = self.arguments.iter().map(argument_codec);
        let result = result_codec(output);
        // At the user's name, so that "future cannot be sent between threads" points there.
        let body = quote_spanned!(span=> ::std::boxed::Box::pin(__body(#(#names),*)));
        let retry_if = self.retry_if(output);
        let inventory = private("inventory", span);
        let schedule = self.schedule();

        quote! {
            static __WORKFLOW: #definition<(#(#types,)*), #output> = #definition::new(
                #function,
                #options,
                &(#(#arguments,)*),
                || #result,
                |(#(#names,)*)| #body,
            )#retry_if;
            #inventory::submit! { #registered(&__WORKFLOW) }
            #schedule
        }
    }

    /// The entry of its schedule, if it has one.
    fn schedule(&self) -> Option<TokenStream> {
        let ScheduleArgs { cron, timezone, late } = self.args.schedule.as_ref()?;
        let Argument { ty, .. } = self.arguments.first()?;
        let span = self.function.signature.ident.span();
        let (inventory, declared) = (private("inventory", span), private("DeclaredSchedule", span));
        let (policy, takes_tick) = (public("Late", span), requirement("takes_tick", ty.span()));
        let timezone = match timezone {
            Some(name) => quote!(::core::option::Option::Some(#name)),
            None => quote!(::core::option::Option::None),
        };
        let late = late.clone().unwrap_or_else(|| Ident::new("Skip", span));
        let check = quote_spanned!(ty.span()=> const _: () = #takes_tick::<#ty>(););
        Some(quote! {
            #check
            #inventory::submit! {
                #declared { workflow: &__WORKFLOW, cron: #cron, timezone: #timezone, late: #policy::#late }
            }
        })
    }

    /// Where the function stands, what it is called, and the hash of its code.
    fn recorded_function(&self) -> TokenStream {
        let span = self.function.signature.ident.span();
        let function = private("Function", span);
        let name = self.args.name.as_ref().map_or_else(|| name_in_source(span), |name| quote!(#name));
        let hash = hash(&self.function);
        quote! {
            #function {
                name: || #name,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
                source_hash: #hash,
            }
        }
    }

    fn options(&self) -> TokenStream {
        let span = self.function.signature.ident.span();
        let fields = [
            self.args.max_recovery_attempts.map(|most| quote!(max_recovery_attempts: #most,)),
            options::timeout(self.args.timeout.as_ref()),
            options::retry(&self.args.retry, span),
            self.args.allow_nondeterminism.then(|| quote!(allow_nondeterminism: true,)),
        ];
        options::options(&private("WorkflowOptions", span), &fields)
    }

    /// After which errors it is tried again, if not after all.
    fn retry_if(&self, output: &Type) -> Option<TokenStream> {
        let retry_if = self.args.retry.retry_if.as_ref()?;
        let error = quote!(__error);
        let asked = quote_spanned!(retry_if.span()=> (#retry_if)(#error));
        Some(quote! {
            .retry_if(|__outcome: &#output| match __outcome {
                ::core::result::Result::Err(#error) => #asked,
                ::core::result::Result::Ok(_) => false,
            })
        })
    }
}

/// The hash of a function's code.
pub(super) fn hash(function: &Function) -> Literal {
    let mut code = function.signature.to_token_stream();
    code.extend(function.body.clone());
    Literal::u64_suffixed(source_hash(code))
}

/// An expression for the function's name in its module, with its type if it has one: an item inside it knows.
fn name_in_source(span: Span) -> TokenStream {
    let name = private("function_name", span);
    quote! {
        {
            struct __Here;
            #name(::core::any::type_name::<__Here>(), ::core::module_path!())
        }
    }
}

/// How one argument is stored under its name.
fn argument_codec(argument: &Argument) -> TokenStream {
    let Argument { name, ty, .. } = argument;
    let name = name.unraw().to_string();
    let span = ty.span();
    let (probe, tiers) = (private("Probe", span), private("tiers", span));
    let comparison = comparison(ty);
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use #tiers::*;
            #probe::<#ty>::ARGUMENT.named(#name, || #comparison)
        }
    }
}

/// How the result is stored, and how a run that never returned is told to whoever awaits it.
fn result_codec(output: &Type) -> TokenStream {
    let span = output.span();
    let (workflow_codec, failure) = (private("WorkflowCodec", span), requirement("workflow_failure", span));
    let codec = codec(output);
    quote_spanned!(span=> #workflow_codec { codec: #codec, from_error: #failure::<#output>() })
}

/// Notes a `Self` that the expansion could not resolve, because it nests the body in an item.
pub(super) fn check_owner(attribute: &str, function: &Function, mistakes: &mut Mistakes) {
    let typed = function.signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_)));
    let mut tokens: TokenStream = typed.map(ToTokens::to_token_stream).collect();
    tokens.extend(function.signature.output.to_token_stream());
    let has_receiver = function.signature.receiver().is_some();
    let found = owner::find(tokens).or_else(|| owner::find(function.body.clone()));
    // A receiver has its own message; the body's `self` would only repeat it.
    if let Some(word) = found.filter(|word| !(has_receiver && word == "self")) {
        mistakes.at(
            &word,
            format!(
                "`#[{attribute}]` cannot see what `{word}` is; put `#[workflows]` on the `impl` block, or name the type"
            ),
        );
    }
}

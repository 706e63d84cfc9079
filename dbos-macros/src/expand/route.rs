//! `#[get_api]`, `#[post_api]`, …: a function's entry in the list of routes, with the code that
//! takes its arguments out of a request.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Path, Result, Type, parse_quote};

use super::binding::Bound;
use super::workflow::{check_owner, hash};
use crate::args::{RouteArgs, RouteOptions};
use crate::errors::Mistakes;
use crate::function::argument::Argument;
use crate::function::{Function, is_route};
use crate::paths::{private, requirement};

const WHY_OWNED: &str = "its arguments come out of the request";

/// What a route calls, each by a name that its expansion nests beside the route.
pub(super) enum Callee {
    /// `__body`, the handler itself.
    Handler,
    /// `__call`, a step or transaction.
    Step,
    /// `__WORKFLOW`, which starts under the request's idempotency key.
    Workflow,
}

/// Expands `#[attribute(args)] item`, where `attribute` is for example `post_api`.
///
/// On a workflow, step or transaction the route steps behind that attribute, which then takes it
/// along; the other way round, that attribute first lets the routes pass. So their order does not matter.
pub(crate) fn route(attribute: &str, args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function = Function::read(attribute, item)?;
    if function.kind().is_some() {
        function.attributes.push(written(attribute, &args));
        return Ok(function.into_token_stream());
    }
    if let Some(passed) = let_routes_pass(attribute, &args, &function) {
        return Ok(passed);
    }
    let mut mistakes = Mistakes::default();
    let mut declared = Vec::from_iter(RouteArgs::read(attribute, args, &mut mistakes));
    declared.extend(take(&mut function, &mut mistakes));
    function.check_form(attribute, &mut mistakes);
    function.check_not_generic("route", "its types say what a request must hold", &mut mistakes);
    check_owner(attribute, &function, &mut mistakes);
    function.take_state(&mut mistakes);
    let arguments = function.owned_arguments("route", WHY_OWNED, &mut mistakes);
    let routes = Routes::check(declared, &arguments, &mut mistakes);
    mistakes.check()?;
    function.strip_bindings();
    Ok(handler(&function, &arguments, &routes))
}

/// If routes stand below `attribute`, the item with `attribute` below them.
///
/// They are not just taken off: the compiler has to see them where they were written, or it would
/// call the user's `use dbos::post_api` unused.
pub(super) fn let_routes_pass(attribute: &str, args: &TokenStream, function: &Function) -> Option<TokenStream> {
    let waiting = |attribute: &Attribute| is_route(attribute) && attribute.path().leading_colon.is_none();
    if !function.attributes.iter().any(waiting) {
        return None;
    }
    let mut function = function.clone();
    function.attributes.push(written(attribute, args));
    Some(function.into_token_stream())
}

/// The attribute as it was written, under our own path: it is found whatever was imported, and is known to have
/// been handed down.
fn written(attribute: &str, args: &TokenStream) -> Attribute {
    let name = syn::Ident::new(attribute, proc_macro2::Span::call_site());
    parse_quote!(#[::dbos::#name(#args)])
}

/// A plain handler: still an `async fn` that can be called by hand.
fn handler(function: &Function, arguments: &[Argument], routes: &Routes) -> TokenStream {
    let Function { visibility, signature, body, .. } = function;
    let (outer_attributes, body_attributes) = function.split_attributes();
    let (ident, inputs, output) = (&signature.ident, &signature.inputs, &signature.output);
    let names: Vec<_> = arguments.iter().map(|argument| &argument.name).collect();
    let types: Vec<_> = arguments.iter().map(|argument| &argument.ty).collect();
    let submitted = routes.submit(function, &Callee::Handler);
    quote! {
        #(#outer_attributes)*
        #[allow(dead_code)]
        #visibility async fn #ident(#(#names: #types),*) #output {
            #(#body_attributes)*
            #[allow(clippy::unused_async, clippy::too_many_lines)]
            async fn __body(#inputs) #output #body
            #(#submitted)*
            __body(#(#names),*).await
        }
    }
}

/// Takes the route attributes off a function, and reads them.
pub(super) fn take(function: &mut Function, mistakes: &mut Mistakes) -> Vec<RouteArgs> {
    let mut routes = Vec::new();
    for attribute in function.take_routes() {
        let args = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        routes.extend(RouteArgs::read(&last_word(attribute.path()), args, mistakes));
    }
    routes
}

fn last_word(path: &Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// The routes of a function, with where each of its arguments comes from.
pub(super) struct Routes {
    declared: Vec<RouteArgs>,
    arguments: Vec<Bound>,
}

impl Routes {
    /// Notes what does not go together: the paths, the arguments, and what is written on them.
    pub(super) fn check(declared: Vec<RouteArgs>, arguments: &[Argument], mistakes: &mut Mistakes) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|argument| Bound::read(argument, mistakes)).collect();
        super::binding::check(&declared, &arguments, mistakes);
        Self { declared, arguments }
    }

    /// As [`Routes::check`], and notes what a step or transaction cannot be if a route is to call it.
    pub(super) fn check_step(
        declared: Vec<RouteArgs>,
        what: &str,
        function: &Function,
        arguments: &[Argument],
        mistakes: &mut Mistakes,
    ) -> Self {
        if !declared.is_empty() {
            let what = format!("{what} with a route");
            function.check_not_generic(&what, "its types say what a request must hold", mistakes);
            check_owner("step", function, mistakes);
            function.owned_arguments(&what, WHY_OWNED, mistakes);
        }
        let routes = Self::check(declared, arguments, mistakes);
        super::binding::check_step(&routes.arguments, mistakes);
        routes
    }

    /// The entries in the registry.
    pub(super) fn submit(&self, function: &Function, callee: &Callee) -> Vec<TokenStream> {
        self.declared.iter().map(|route| submit(route, function, &self.arguments, callee)).collect()
    }
}

/// The route's entry in the registry.
fn submit(route: &RouteArgs, function: &Function, arguments: &[Bound], callee: &Callee) -> TokenStream {
    let span = function.signature.ident.span();
    let (inventory, entry) = (private("inventory", span), private("Route", span));
    let RouteArgs { method, path, .. } = route;
    let name = function.name();
    let options = options(&route.options, span);
    let read = arguments.iter().map(|argument| argument.read_for(route));
    let respond = respond(&function.output(), callee, arguments);
    let perform = quote! {
        #(#read)*
        #respond
    };
    let describe = super::describe::describe(route, function, arguments, callee);
    let (registered, handler) = match callee {
        Callee::Handler | Callee::Workflow => (TokenStream::new(), at_once(&perform, span)),
        Callee::Step => keyed(route, function, arguments, &perform),
    };
    quote! {
        const _: () = {
            #registered
            #inventory::submit! {
                #entry {
                    method: #method,
                    path: #path,
                    function: #name,
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    handler: #handler,
                    describe: #describe,
                    options: #options,
                }
            }
        };
    }
}

/// A handler that reads its arguments and goes on.
fn at_once(perform: &TokenStream, span: Span) -> TokenStream {
    let reader = requirement("Arguments", span);
    quote! {
        |__request| ::std::boxed::Box::pin(async move {
            #[allow(unused_mut, unused_variables)]
            let mut __arguments = #reader::read(__request).await?;
            #perform
        })
    }
}

/// The workflow as which the step runs under an idempotency key, and the handler that knows whether there is one.
fn keyed(
    route: &RouteArgs,
    function: &Function,
    arguments: &[Bound],
    perform: &TokenStream,
) -> (TokenStream, TokenStream) {
    let span = function.signature.ident.span();
    let [inventory, registered, keyed, code] =
        ["inventory", "Registered", "KeyedRoute", "Function"].map(|name| private(name, span));
    let name = format!("{} {}", route.method, route.path.value());
    let headers = arguments.iter().filter_map(Bound::header);
    let hash = hash(function);
    let workflow = quote! {
        static __KEYED: #keyed = #keyed {
            function: #code {
                name: || #name,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
                source_hash: #hash,
            },
            headers: &[#(#headers),*],
            #[allow(unused_mut, unused_variables)]
            perform: |mut __arguments| ::std::boxed::Box::pin(async move { #perform }),
        };
        #inventory::submit! { #registered(&__KEYED) }
    };
    (workflow, quote!(|__request| ::std::boxed::Box::pin(__KEYED.answer(__request))))
}

/// Whom the route lets in, what they may take, and what stands around it.
fn options(given: &RouteOptions, span: Span) -> TokenStream {
    let (options, access) = (private("RouteOptions", span), private("Access", span));
    let allowed = match &given.required_roles {
        Some(roles) => Some(quote!(access: #access::Roles(&[#(#roles),*]),)),
        None => given.authenticated.then(|| quote!(access: #access::User,)),
    };
    let timeout = super::options::timeout(given.timeout.as_ref());
    let count = |name: &str, count: Option<u32>| {
        let (name, count) = (Ident::new(name, span), Literal::u32_unsuffixed(count?));
        Some(quote!(#name: ::core::option::Option::Some(#count),))
    };
    let body = count("max_body_bytes", given.max_body_bytes);
    let concurrent = count("max_concurrent", given.max_concurrent);
    let origins = given.allowed_origins.as_ref().map(|origins| quote!(allowed_origins: &[#(#origins),*],));
    let compress = given.compress.map(|on| quote!(compress: ::core::option::Option::Some(#on),));
    let layer = given.layer.as_ref().map(|layer| {
        let methods = quote!(__methods);
        let around = quote_spanned!(layer.span()=> #methods.layer(#layer));
        quote!(layer: ::core::option::Option::Some(|#methods| #around),)
    });
    super::options::options(&options, &[allowed, timeout, body, concurrent, origins, compress, layer])
}

/// Calls the function and turns what it returns into a response.
fn respond(output: &Type, callee: &Callee, arguments: &[Bound]) -> TokenStream {
    let span = output.span();
    let (respond, tiers) = (private("Respond", span), private("respond_tiers", span));
    let names = arguments.iter().map(Bound::name);
    let call = match callee {
        Callee::Handler => quote!(__body(#(#names),*)),
        Callee::Step => quote!(__call(#(#names),*)),
        Callee::Workflow => quote!(__WORKFLOW.call((#(#names,)*))),
    };
    let value = quote!(__value);
    let respond = quote_spanned! {span=>
        #[allow(unused_imports)]
        use #tiers::*;
        (&&&&&#respond::<#output>::NEW).respond(#value)
    };
    quote! {
        let #value: #output = #call.await;
        #respond
    }
}

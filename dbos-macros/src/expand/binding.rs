//! From a request to the arguments of a route: which part each comes from, and the code that takes it from there.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit};

use crate::args::{Binding, Origin, RouteArgs, Segment};
use crate::errors::Mistakes;
use crate::function::argument::Argument;
use crate::paths::private;

/// An argument with what is written on it.
pub(super) struct Bound {
    argument: Argument,
    binding: Binding,
}

/// The part of a request that an argument comes from.
enum Source {
    Path,
    Query,
    Header(String),
    Field,
    WholeBody,
    RawBody,
    Extractor,
    BodyExtractor,
}

impl Source {
    /// What the runtime calls it, when it reads an argument from there and when it tells of one.
    fn method(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header(_) => "header",
            Self::Field => "body",
            Self::WholeBody => "whole_body",
            Self::RawBody => "raw_body",
            Self::Extractor => "extract",
            Self::BodyExtractor => "extract_body",
        }
    }
}

impl Bound {
    pub(super) fn read(argument: &Argument, mistakes: &mut Mistakes) -> Self {
        Self { argument: argument.clone(), binding: Binding::read(argument, mistakes) }
    }

    pub(super) fn name(&self) -> &Ident {
        &self.argument.name
    }

    /// Reads the argument into a variable of its name.
    pub(super) fn read_for(&self, route: &RouteArgs) -> TokenStream {
        let Argument { name, ty, .. } = &self.argument;
        let arguments = quote!(__arguments);
        let source = self.source(route);
        let key = self.key_in(&source);
        let method = Ident::new(source.method(), ty.span());
        if matches!(source, Source::Extractor | Source::BodyExtractor) {
            return quote_spanned!(ty.span()=> let #name = #arguments.#method::<#ty>().await?;);
        }
        match &self.binding.default {
            None => quote_spanned!(ty.span()=> let #name = #arguments.#method::<#ty>(#key)?;),
            Some(default) => {
                let default = value(default);
                quote_spanned! {ty.span()=>
                    let #name = #arguments.#method::<::core::option::Option<#ty>>(#key)?.unwrap_or_else(|| #default);
                }
            }
        }
    }

    /// Says of the argument where it comes from and what it may be.
    pub(super) fn describe_for(&self, route: &RouteArgs) -> TokenStream {
        let Argument { ty, .. } = &self.argument;
        let source = self.source(route);
        let key = self.key_in(&source);
        let method = Ident::new(source.method(), ty.span());
        let (operation, described) = (quote!(__operation), private("Described", ty.span()));
        match &source {
            Source::Extractor | Source::BodyExtractor => return quote!(#operation.#method();),
            Source::RawBody => return quote_spanned!(ty.span()=> #operation.#method::<#ty>();),
            _ => {}
        }
        let default = self.binding.default.as_ref().map(|default| {
            let default = value(default);
            quote_spanned!(ty.span()=> .defaulting((&&#described::<#ty>::NEW).written(|| #default)))
        });
        let name = key.map(|key| quote!(#key,));
        quote_spanned!(ty.span()=> #operation.#method(#name (&&&#described::<#ty>::NEW).input() #default);)
    }

    /// The header it comes from, if it is one.
    pub(super) fn header(&self) -> Option<&str> {
        match &self.binding.origin {
            Some(Origin::Header(name)) => Some(name),
            _ => None,
        }
    }

    /// What that part of the request calls it; the whole of a part has no name.
    fn key_in(&self, source: &Source) -> Option<String> {
        match source {
            Source::Path | Source::Query | Source::Field => Some(self.argument.name.unraw().to_string()),
            Source::Header(header) => Some(header.clone()),
            Source::WholeBody | Source::RawBody | Source::Extractor | Source::BodyExtractor => None,
        }
    }

    fn segment<'a>(&self, route: &'a RouteArgs) -> Option<&'a Segment> {
        route.segments.iter().find(|segment| self.argument.name.unraw() == segment.name)
    }

    fn source(&self, route: &RouteArgs) -> Source {
        match &self.binding.origin {
            Some(Origin::Query) => Source::Query,
            Some(Origin::Header(name)) => Source::Header(name.clone()),
            Some(Origin::Body) => Source::WholeBody,
            Some(Origin::Raw) => Source::RawBody,
            Some(Origin::Extract) => Source::Extractor,
            Some(Origin::ExtractBody) => Source::BodyExtractor,
            None if self.segment(route).is_some() => Source::Path,
            None if route.reads_query() => Source::Query,
            None => Source::Field,
        }
    }

    fn takes_whole_body(&self) -> bool {
        self.binding.origin.as_ref().is_some_and(Origin::is_whole_body)
    }
}

/// A default as written; a text becomes whatever type can be made of one.
fn value(default: &Expr) -> TokenStream {
    match default {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => quote!(::core::convert::From::from(#text)),
        default => default.to_token_stream(),
    }
}

/// Notes what does not go together.
pub(super) fn check(routes: &[RouteArgs], arguments: &[Bound], mistakes: &mut Mistakes) {
    if routes.is_empty() {
        for attribute in arguments.iter().flat_map(|bound| &bound.argument.bindings) {
            mistakes.at(
                attribute,
                "this says where a route finds an argument, and the function has no route; remove it, or add `#[post_api(\"/…\")]`",
            );
        }
    }
    for Bound { binding, .. } in arguments {
        let reason = match (&binding.origin, &binding.default) {
            (Some(Origin::Raw), Some(_)) => {
                "the bytes of a body are always there, if only none of them; remove the default"
            }
            (Some(Origin::Extract | Origin::ExtractBody), Some(_)) => {
                "an extractor says itself what it is without a value; remove the default"
            }
            _ => continue,
        };
        mistakes.at(&binding.default, reason);
    }
    for route in routes {
        check_path(route, arguments, mistakes);
        check_body(route, arguments, mistakes);
    }
}

/// Notes what a step cannot have: it may run again when the request is gone.
pub(super) fn check_step(arguments: &[Bound], mistakes: &mut Mistakes) {
    for Bound { binding, .. } in arguments {
        if binding.origin.as_ref().is_some_and(Origin::is_extractor) {
            mistakes.at(
                &binding.written,
                "a step may run again without its request; extract in a plain handler that calls the step",
            );
        }
    }
}

/// Notes each part of a path that is no argument, and each argument that cannot be that part.
fn check_path(route: &RouteArgs, arguments: &[Bound], mistakes: &mut Mistakes) {
    for segment in &route.segments {
        let Some(bound) = arguments.iter().find(|bound| bound.argument.name.unraw() == segment.name) else {
            mistakes.at(
                &route.path,
                format!("the path has `{0}`, but no argument has that name; add `{0}: String`, or write the text without `:`", segment.name),
            );
            continue;
        };
        let Bound { argument, binding } = bound;
        if let Some(attribute) = &binding.written {
            mistakes.at(
                attribute,
                format!("`{}` comes from the path; remove this, or rename one of the two", segment.name),
            );
        }
        if segment.optional && binding.default.is_none() && !argument.is_optional() {
            mistakes.at(
                &argument.ty,
                format!(
                    "`:{}?` may be missing from the path; take an `Option<{}>`",
                    segment.name,
                    argument.ty.to_token_stream()
                ),
            );
        }
        if let Some(default) = binding.default.as_ref().filter(|_| !segment.optional) {
            mistakes.at(
                default,
                format!("the path always has `{0}`, so its default is never used; write `:{0}?`", segment.name),
            );
        }
    }
}

/// Notes arguments that the body cannot give, because there is none or because another argument takes all of it.
fn check_body(route: &RouteArgs, arguments: &[Bound], mistakes: &mut Mistakes) {
    let mut whole = arguments.iter().filter(|bound| bound.takes_whole_body());
    let Some(first) = whole.next() else { return };
    if route.method == "GET" {
        mistakes.at(&first.binding.written, "a GET request has no body; use `#[post_api]`, or take it from the query");
    }
    if let Some(second) = whole.next() {
        mistakes.at(
            &second.binding.written,
            format!("`{}` takes the whole body already; a body is one argument", first.argument.name),
        );
    }
    for field in arguments.iter().filter(|bound| matches!(bound.source(route), Source::Field)) {
        mistakes.at(
            &field.argument.pattern,
            format!(
                "`{}` takes the whole body, so this cannot come from there; write `#[query]` or `#[header]` before it",
                first.argument.name
            ),
        );
    }
}

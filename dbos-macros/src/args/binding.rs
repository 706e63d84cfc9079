//! `#[header("…")]`, `#[query]`, `#[body]`, `#[raw]`, `#[extract]` and `#[default(…)]` on an argument of a route: where it comes from,
//! and what it is where the request leaves it out.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Expr, Ident, LitStr, Meta, Result, parse_quote};

use crate::errors::Mistakes;
use crate::function::argument::Argument;

/// The attributes an argument of a route may carry.
const BINDINGS: [&str; 6] = ["header", "query", "body", "raw", "extract", "default"];

/// What is written on an argument.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) origin: Option<Origin>,
    /// The attribute that names the origin, to point at.
    pub(crate) written: Option<Attribute>,
    pub(crate) default: Option<Expr>,
}

/// The part of a request that an argument is said to come from.
#[derive(Clone, PartialEq)]
pub(crate) enum Origin {
    Query,
    /// The header of this name.
    Header(String),
    /// The whole body, as one value.
    Body,
    /// The whole body, byte by byte.
    Raw,
    /// Whatever an extractor of axum makes of the head.
    Extract,
    /// Whatever an extractor of axum makes of the whole request.
    ExtractBody,
}

impl Origin {
    pub(crate) fn is_whole_body(&self) -> bool {
        matches!(self, Self::Body | Self::Raw | Self::ExtractBody)
    }

    pub(crate) fn is_extractor(&self) -> bool {
        matches!(self, Self::Extract | Self::ExtractBody)
    }
}

/// Whether the attribute tells a route about an argument.
pub(crate) fn is_binding(attribute: &Attribute) -> bool {
    BINDINGS.iter().any(|name| attribute.path().is_ident(name))
}

impl Binding {
    /// What the attributes of `argument` say.
    pub(crate) fn read(argument: &Argument, mistakes: &mut Mistakes) -> Self {
        let mut binding = Self { origin: None, written: None, default: None };
        for attribute in &argument.bindings {
            if attribute.path().is_ident("default") {
                binding.set_default(attribute, argument, mistakes);
            } else {
                binding.set_origin(attribute, argument, mistakes);
            }
        }
        binding
    }

    fn set_origin(&mut self, attribute: &Attribute, argument: &Argument, mistakes: &mut Mistakes) {
        let Some(origin) = mistakes.keep(origin(attribute, argument)) else { return };
        if self.origin.is_some() {
            mistakes.at(attribute, format!("`{}` comes from one place; remove one of its attributes", argument.name));
        }
        self.origin = Some(origin);
        self.written = Some(attribute.clone());
    }

    fn set_default(&mut self, attribute: &Attribute, argument: &Argument, mistakes: &mut Mistakes) {
        let Some(default) = mistakes.keep(default(attribute)) else { return };
        if self.default.is_some() {
            mistakes.at(attribute, format!("`{}` has one default; remove the other", argument.name));
        }
        if argument.is_optional() {
            mistakes.at(
                attribute,
                "with a default there is always a value; take it without `Option`, or remove `#[default]`",
            );
        }
        self.default = Some(default);
    }
}

fn origin(attribute: &Attribute, argument: &Argument) -> Result<Origin> {
    let path = attribute.path();
    if path.is_ident("header") {
        return header(attribute, argument).map(Origin::Header);
    }
    if path.is_ident("extract")
        && let Meta::List(list) = &attribute.meta
    {
        let wrong = |error: Error| Error::new(error.span(), "an extractor is `#[extract]`, or `#[extract(body)]`");
        let word: Ident = list.parse_args().map_err(wrong)?;
        return if word == "body" { Ok(Origin::ExtractBody) } else { Err(wrong(Error::new_spanned(word, ""))) };
    }
    if !matches!(attribute.meta, Meta::Path(_)) {
        return Err(Error::new_spanned(attribute, format!("write `#[{}]` alone", path.to_token_stream())));
    }
    Ok(if path.is_ident("query") {
        Origin::Query
    } else if path.is_ident("body") {
        Origin::Body
    } else if path.is_ident("raw") {
        Origin::Raw
    } else {
        Origin::Extract
    })
}

/// The header's name: the one in quotes, else the argument's with dashes.
fn header(attribute: &Attribute, argument: &Argument) -> Result<String> {
    let usage = |tokens: &dyn ToTokens| Error::new_spanned(tokens, "a header has a name: `#[header(\"x-api-key\")]`");
    match &attribute.meta {
        Meta::Path(_) => Ok(argument.name.unraw().to_string().replace('_', "-")),
        Meta::NameValue(_) => Err(usage(attribute)),
        Meta::List(list) => {
            let name: LitStr = list.parse_args().map_err(|_| usage(attribute))?;
            let text = name.value();
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if text.is_empty() || !text.bytes().all(is_name) {
                return Err(usage(&name));
            }
            Ok(text.to_ascii_lowercase())
        }
    }
}

fn default(attribute: &Attribute) -> Result<Expr> {
    match &attribute.meta {
        Meta::Path(_) => Ok(parse_quote!(::core::default::Default::default())),
        Meta::List(list) => list.parse_args(),
        Meta::NameValue(_) => Err(Error::new_spanned(attribute, "a default stands in parentheses: `#[default(20)]`")),
    }
}

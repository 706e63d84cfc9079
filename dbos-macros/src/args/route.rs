//! `#[get_api("/orders/:id")]` and its siblings: the path, taken apart, and the options behind it.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Ident, LitStr, Token};

use super::options;
use crate::errors::{Mistakes, check_http};

/// A route: its method and its path as the user wrote it.
pub(crate) struct RouteArgs {
    pub(crate) method: &'static str,
    pub(crate) path: LitStr,
    pub(crate) segments: Vec<Segment>,
    pub(crate) options: RouteOptions,
}

/// What stands behind the path.
#[derive(Default)]
pub(crate) struct RouteOptions {
    pub(crate) required_roles: Option<Vec<LitStr>>,
    pub(crate) authenticated: bool,
    /// An expression of type `Duration`.
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) max_body_bytes: Option<u32>,
    pub(crate) max_concurrent: Option<u32>,
    pub(crate) allowed_origins: Option<Vec<LitStr>>,
    pub(crate) compress: Option<bool>,
    /// An expression whose type is a layer of tower.
    pub(crate) layer: Option<Expr>,
}

const KNOWN: [&str; 8] = [
    "required_roles = [\"admin\"]",
    "authenticated",
    "timeout = \"5s\"",
    "max_body_bytes = 1048576",
    "max_concurrent = 10",
    "allowed_origins = [\"https://shop.example\"]",
    "compress",
    "layer = TraceLayer::new_for_http()",
];

/// A part of a path that stands for an argument: `:key`, `:key?` or `{key}`.
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) optional: bool,
}

impl RouteArgs {
    /// The route that `attribute`, for example `get_api`, describes with `tokens`.
    pub(crate) fn read(attribute: &str, tokens: TokenStream, mistakes: &mut Mistakes) -> Option<Self> {
        mistakes.keep(check_http(attribute, &tokens))?;
        let method = method(attribute);
        let missing = |error: Error| {
            Error::new(
                error.span(),
                format!("`#[{attribute}]` takes one path in quotes: `#[{attribute}(\"/orders/:id\")]`"),
            )
        };
        let (path, rest) = mistakes.keep(split.parse2(tokens).map_err(missing))?;
        let segments = mistakes.keep(segments(&path))?;
        Some(Self { method, path, segments, options: RouteOptions::read(rest, mistakes) })
    }

    /// Whether arguments that are not in the path come from the query string, for there is no body.
    pub(crate) fn reads_query(&self) -> bool {
        matches!(self.method, "GET" | "DELETE")
    }
}

/// The path, and what stands behind it.
fn split(input: ParseStream<'_>) -> syn::Result<(LitStr, TokenStream)> {
    let path = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    if !input.is_empty() && !input.peek(Ident) {
        return Err(input.error("an option has a name"));
    }
    Ok((path, input.parse()?))
}

impl RouteOptions {
    fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut read = Self::default();
        for option in options::read(tokens, &KNOWN, mistakes) {
            match option.key.to_string().as_str() {
                "required_roles" => read.required_roles = mistakes.keep(option.texts()),
                "authenticated" => read.authenticated = mistakes.keep(option.flag()).is_some(),
                "timeout" => read.timeout = mistakes.keep(option.duration()),
                "max_body_bytes" => read.max_body_bytes = mistakes.keep(option.count(1)),
                "max_concurrent" => read.max_concurrent = mistakes.keep(option.count(1)),
                "allowed_origins" => read.allowed_origins = mistakes.keep(option.texts()),
                "compress" => read.compress = mistakes.keep(option.switch()),
                _ => read.layer = mistakes.keep(option.value()).cloned(),
            }
        }
        read
    }
}

/// The HTTP method of a route attribute.
fn method(attribute: &str) -> &'static str {
    match attribute {
        "get_api" => "GET",
        "post_api" => "POST",
        "put_api" => "PUT",
        "patch_api" => "PATCH",
        _ => "DELETE",
    }
}

/// The parts of `path` that stand for arguments.
fn segments(path: &LitStr) -> syn::Result<Vec<Segment>> {
    let refuse = |reason: String| Error::new_spanned(path, reason);
    let text = path.value();
    let Some(rest) = text.strip_prefix('/') else {
        return Err(refuse(format!("a path begins with `/`; write `\"/{text}\"`")));
    };
    if let Some(odd) =
        text.chars().find(|letter| letter.is_whitespace() || letter.is_control() || "#%\\".contains(*letter))
    {
        return Err(refuse(format!("a path cannot hold {odd:?}")));
    }
    let mut parts: Vec<&str> = rest.split('/').collect();
    if parts.last() == Some(&"") {
        parts.pop();
    }
    let last = parts.len().saturating_sub(1);
    let mut found: Vec<Segment> = Vec::new();
    for (position, part) in parts.into_iter().enumerate() {
        if part.is_empty() {
            return Err(refuse("a path cannot hold `//`".to_owned()));
        }
        let Some(segment) = segment(part).map_err(refuse)? else { continue };
        if segment.optional && position != last {
            return Err(refuse(format!(
                "only the last part of a path can be optional; `:{}?` is not the last",
                segment.name
            )));
        }
        if found.iter().any(|earlier| earlier.name == segment.name) {
            return Err(refuse(format!("`{}` stands twice in the path", segment.name)));
        }
        found.push(segment);
    }
    Ok(found)
}

/// The argument a part of a path stands for; `None` for fixed text.
fn segment(part: &str) -> Result<Option<Segment>, String> {
    let (name, optional) = if let Some(name) = part.strip_prefix(':') {
        match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        }
    } else if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        (name, false)
    } else if part.contains([':', '{', '}', '*', '?']) {
        return Err(format!(
            "`{part}` is neither fixed text nor one argument; an argument takes a whole part of the path: `:name`, `:name?` or `{{name}}`"
        ));
    } else {
        return Ok(None);
    };
    if syn::parse_str::<syn::Ident>(name).is_err() {
        return Err(format!(
            "`{part}` names no argument; write `:name`, with the name of one of the function's arguments"
        ));
    }
    Ok(Some(Segment { name: name.to_owned(), optional }))
}

//! The annotated function: its signature as syntax, its body as the user's own tokens.

pub(crate) mod argument;
pub(crate) mod lifetimes;
pub(crate) mod owner;
mod state;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::visit::Visit;
use syn::{Attribute, Error, Path, Result, ReturnType, Signature, Type, Visibility, parse_quote};

use crate::errors::Mistakes;

/// The attributes that decide what a function is.
const KINDS: [&str; 3] = ["workflow", "step", "transaction"];

/// The attributes that give a function a route.
pub(crate) const ROUTES: [&str; 5] = ["get_api", "post_api", "put_api", "patch_api", "delete_api"];

/// A function with one of our attributes.
///
/// The body is not parsed: a body that is half typed still expands, and what the compiler and the
/// editor see is exactly what the user wrote.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// With its braces.
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse::<Signature>()?;
        match input.parse().ok().and_then(braces) {
            Some(body) => Ok(Self { attributes, visibility, signature, body: body.into_token_stream() }),
            None => Err(Error::new(
                signature.ident.span(),
                "this function needs a body; a method that a trait only declares cannot be annotated",
            )),
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body } = self;
        tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
    }
}

impl Function {
    /// Reads `item`, saying what `attribute` goes on if it is no function.
    pub(crate) fn read(attribute: &str, item: TokenStream) -> Result<Self> {
        let looks_like_function =
            item.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
        let first = item.clone().into_iter().next();
        syn::parse2(item).map_err(|error| match first {
            Some(first) if !looks_like_function => {
                Error::new_spanned(first, format!("`#[{attribute}]` goes on an `async fn`"))
            }
            _ => error,
        })
    }

    /// The function's name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// What the function returns; `()` when nothing is written.
    pub(crate) fn output(&self) -> Type {
        match &self.signature.output {
            ReturnType::Type(_, output) => (**output).clone(),
            ReturnType::Default => parse_quote!(()),
        }
    }

    /// Which of `#[workflow]`, `#[step]`, `#[transaction]` it carries, if any.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        KINDS.into_iter().find(|kind| self.attributes.iter().any(|attribute| is_named(attribute.path(), kind)))
    }

    /// Takes the route attributes off the function.
    pub(crate) fn take_routes(&mut self) -> Vec<Attribute> {
        let (routes, others) = std::mem::take(&mut self.attributes).into_iter().partition(is_route);
        self.attributes = others;
        routes
    }

    /// The function as it was before any of our attributes.
    pub(crate) fn without_our_attributes(mut self) -> Self {
        self.attributes
            .retain(|attribute| !is_route(attribute) && !KINDS.iter().any(|kind| is_named(attribute.path(), kind)));
        self.strip_bindings();
        self
    }

    /// The function as `async`, which its callers take it for.
    pub(crate) fn awaitable(mut self) -> Self {
        if self.signature.constness.is_none() {
            self.signature.asyncness.get_or_insert_default();
        }
        self
    }

    /// The attributes of the outer function and those of its body. Ones that rewrite an `async fn`,
    /// such as `#[tracing::instrument]`, mean the body, because the outer function is not async.
    pub(crate) fn split_attributes(&self) -> (Vec<&Attribute>, Vec<&Attribute>) {
        const OUTER: [&str; 12] = [
            "doc",
            "cfg",
            "cfg_attr",
            "allow",
            "warn",
            "deny",
            "forbid",
            "expect",
            "deprecated",
            "must_use",
            "inline",
            "cold",
        ];
        self.attributes.iter().partition(|attribute| OUTER.iter().any(|name| attribute.path().is_ident(name)))
    }

    /// Notes what no annotated function may be: sync, `const`, `unsafe`, `extern`, variadic, or of
    /// two kinds at once.
    pub(crate) fn check_form(&self, attribute: &str, mistakes: &mut Mistakes) {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            mistakes.at(signature.fn_token, format!("`#[{attribute}]` needs an `async fn`; write `async` before `fn`"));
        }
        if let Some(word) = &signature.constness {
            mistakes.at(word, format!("`#[{attribute}]` cannot be on a `const fn`; remove `const`"));
        }
        if !matches!(signature.safety, syn::Safety::Default) {
            mistakes.at(
                &signature.safety,
                format!("`#[{attribute}]` cannot be on an `unsafe fn`; put the unsafe part in a function of its own"),
            );
        }
        if let Some(abi) = &signature.abi {
            mistakes.at(abi, format!("`#[{attribute}]` cannot be on an `extern fn`; remove `extern`"));
        }
        if let Some(variadic) = &signature.variadic {
            mistakes.at(variadic, format!("`#[{attribute}]` cannot be on a variadic function; name each argument"));
        }
        if let Some(other) = self.attributes.iter().find(|other| KINDS.iter().any(|kind| is_named(other.path(), kind)))
        {
            let other_name = other.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            mistakes.at(
                other,
                format!(
                    "a function is one of workflow, step and transaction; remove `#[{attribute}]` or `#[{other_name}]`"
                ),
            );
        }
    }

    /// Notes a return type that could not be read back from a checkpoint.
    pub(crate) fn check_output(&self, mistakes: &mut Mistakes) {
        struct Unreadable<'a>(&'a mut Mistakes);
        impl<'ast> Visit<'ast> for Unreadable<'_> {
            fn visit_type_impl_trait(&mut self, found: &'ast syn::TypeImplTrait) {
                self.0.at(found, "what is returned is read back from its checkpoint, so its type needs a name; write the type instead of `impl`");
            }
            fn visit_type_reference(&mut self, found: &'ast syn::TypeReference) {
                self.0.at(found, "what is returned is read back from its checkpoint, so it must own its data; return `String`, `Vec<T>` or the like");
            }
            fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
        }
        if let ReturnType::Type(_, output) = &self.signature.output {
            Unreadable(mistakes).visit_type(output);
        }
    }

    /// Notes type parameters, which leave open what would run after a restart.
    pub(crate) fn check_not_generic(&self, what: &str, why: &str, mistakes: &mut Mistakes) {
        if let Some(parameter) = self.signature.generics.params.first() {
            mistakes.at(parameter, format!("a {what} cannot be generic: {why}; write one {what} per type"));
        }
    }
}

/// The group in braces that `token` is; a `$body:block` of a `macro_rules!` comes wrapped in a group without any.
fn braces(token: TokenTree) -> Option<Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().next().and_then(braces)
        }
        _ => None,
    }
}

/// The type itself, where a `$ty:ty` of a `macro_rules!` comes wrapped in a group.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// Whether `path` ends in `name`.
pub(crate) fn is_named(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// Whether the attribute is a route.
pub(crate) fn is_route(attribute: &Attribute) -> bool {
    ROUTES.iter().any(|route| is_named(attribute.path(), route))
}

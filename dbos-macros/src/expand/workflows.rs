//! `#[workflows]` on an `impl` block: writes the type wherever an annotated function says `Self`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, ImplItem, ItemImpl, Result, Type};

use crate::errors::Mistakes;
use crate::function::{Function, is_named, is_route, owner};

const USAGE: &str = "`#[workflows]` goes on an `impl` block; on a function write `#[workflow]`";

/// Expands `#[workflows] item`.
pub(crate) fn workflows(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    if !args.is_empty() {
        mistakes.at(args, "`#[workflows]` takes no options; put them on the functions");
    }
    let (header, body) = split(item)?;
    let block = header_of(&header)?;
    if let Some(parameter) = block.generics.params.first() {
        mistakes.at(
            parameter,
            "`#[workflows]` needs a concrete type, because a workflow is found again by its name alone; write one `impl` block per type",
        );
    }
    let items = (|input: ParseStream<'_>| Items::parse(input, &block.self_ty)).parse2(body.stream())?;
    if !items.any_annotated {
        mistakes.at(
            &block.self_ty,
            "nothing in this block is a workflow or a route; mark a function `#[workflow]`, or remove `#[workflows]`",
        );
    }
    mistakes.check()?;
    let mut body_out = Group::new(Delimiter::Brace, items.tokens);
    body_out.set_span(body.span());
    Ok(quote!(#header #body_out))
}

/// The tokens before the block's braces, and the braces. The functions inside are not parsed: their
/// bodies may be half typed.
fn split(item: TokenStream) -> Result<(TokenStream, Group)> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let is_impl = tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "impl"));
    match tokens.pop() {
        Some(TokenTree::Group(body)) if is_impl && body.delimiter() == Delimiter::Brace => {
            Ok((tokens.into_iter().collect(), body))
        }
        last => {
            let first = tokens.into_iter().next().or(last);
            Err(Error::new_spanned(first, USAGE))
        }
    }
}

fn header_of(header: &TokenStream) -> Result<ItemImpl> {
    syn::parse2(quote!(#header {})).map_err(|error| Error::new(error.span(), USAGE))
}

struct Items {
    tokens: TokenStream,
    any_annotated: bool,
}

impl Items {
    fn parse(input: ParseStream<'_>, owner: &Type) -> Result<Self> {
        let mut items = Self { tokens: TokenStream::new(), any_annotated: false };
        for attribute in input.call(Attribute::parse_inner)? {
            attribute.to_tokens(&mut items.tokens);
        }
        while !input.is_empty() {
            let ahead = input.fork();
            match Function::parse(&ahead) {
                Ok(function) => {
                    input.advance_to(&ahead);
                    items.push(&function, owner);
                }
                Err(_) => input.parse::<ImplItem>()?.to_tokens(&mut items.tokens),
            }
        }
        Ok(items)
    }

    fn push(&mut self, function: &Function, owner: &Type) {
        let annotated =
            function.attributes.iter().any(|attribute| is_named(attribute.path(), "workflow") || is_route(attribute));
        if !annotated {
            function.to_tokens(&mut self.tokens);
            return;
        }
        self.any_annotated = true;
        for attribute in &function.attributes {
            attribute.to_tokens(&mut self.tokens);
        }
        let Function { visibility, signature, body, .. } = function;
        self.tokens.extend(owner::replace(quote!(#visibility #signature #body), owner));
    }
}

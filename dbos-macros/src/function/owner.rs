//! `Self` and `self` in a function: finding them, and writing the type instead.
//!
//! Works on tokens, because bodies are not parsed. Items nested in a body have a `Self` of their own.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;
use syn::visit_mut::VisitMut;

/// The first `Self`, or `self` that is no path such as `self::helper`.
pub(crate) fn find(tokens: TokenStream) -> Option<Ident> {
    let mut found = None;
    let mut tokens = Outer::new(tokens);
    while let Some(piece) = tokens.next() {
        match piece {
            Piece::Own(TokenTree::Ident(word)) if word == "Self" => found = Some(word),
            Piece::Own(TokenTree::Ident(word)) if word == "self" && !tokens.next_is_colon() => found = Some(word),
            Piece::Own(TokenTree::Group(group)) => found = find(group.stream()),
            Piece::Own(_) | Piece::Nested(_) => {}
        }
        if found.is_some() {
            break;
        }
    }
    found
}

/// Writes `owner` wherever `tokens` say `Self`.
pub(crate) fn replace(tokens: TokenStream, owner: &Type) -> TokenStream {
    write(tokens, &everywhere(owner))
}

fn write(tokens: TokenStream, owner: &TokenStream) -> TokenStream {
    let written = Outer::new(tokens).map(|piece| match piece {
        Piece::Own(TokenTree::Ident(word)) if word == "Self" => at(word.span(), owner.clone()),
        Piece::Own(TokenTree::Group(group)) => {
            let mut inner = Group::new(group.delimiter(), write(group.stream(), owner));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        Piece::Own(token) | Piece::Nested(token) => token.into(),
    });
    written.collect()
}

/// The tokens with the span of the word they stand for, so that errors point at what the user wrote.
fn at(span: Span, tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}

/// The type in a spelling that is legal in types, expressions and patterns alike: `Shelf::<u8>`.
fn everywhere(owner: &Type) -> TokenStream {
    struct Turbofish;
    impl VisitMut for Turbofish {
        fn visit_angle_bracketed_generic_arguments_mut(&mut self, arguments: &mut syn::AngleBracketedGenericArguments) {
            arguments.colon2_token.get_or_insert_with(Default::default);
        }
    }
    let mut owner = owner.clone();
    if let Type::Path(path) = &mut owner {
        Turbofish.visit_type_path_mut(path);
        path.to_token_stream()
    } else {
        quote!(<#owner>)
    }
}

/// A token of the function itself, or of an item nested in it.
enum Piece {
    Own(TokenTree),
    Nested(TokenTree),
}

/// Walks one level of tokens and tells nested items from the function's own code.
struct Outer {
    tokens: std::iter::Peekable<proc_macro2::token_stream::IntoIter>,
    nested: bool,
}

impl Outer {
    fn new(tokens: TokenStream) -> Self {
        Self { tokens: tokens.into_iter().peekable(), nested: false }
    }

    fn next_is_colon(&mut self) -> bool {
        matches!(self.tokens.peek(), Some(TokenTree::Punct(mark)) if mark.as_char() == ':')
    }
}

impl Iterator for Outer {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let token = self.tokens.next()?;
        if let TokenTree::Ident(word) = &token
            && ["impl", "trait", "struct", "enum"].iter().any(|keyword| word == keyword)
        {
            self.nested = true;
        }
        let piece = if self.nested { Piece::Nested(token.clone()) } else { Piece::Own(token.clone()) };
        // An item ends with its braces, or with a semicolon if it has none.
        match &token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => self.nested = false,
            TokenTree::Punct(mark) if mark.as_char() == ';' => self.nested = false,
            _ => {}
        }
        Some(piece)
    }
}

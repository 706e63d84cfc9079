//! A number that changes when the code of a workflow changes, and not when its looks do.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The hash of `tokens`: FNV-1a, 64 bits, over their kinds and texts.
///
/// Comments and spaces are no tokens; doc comments and trailing commas, which formatting adds and
/// removes, are left out. `TokenStream::to_string` is of no use here: its spacing changes between
/// compilers.
pub(crate) fn source_hash(tokens: TokenStream) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.stream(tokens);
    hash.0
}

struct Fnv(u64);

impl Fnv {
    fn stream(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' && tokens.next_if(is_doc).is_some() => {}
                // Counted only if something follows: a trailing comma means nothing.
                TokenTree::Punct(mark) if mark.as_char() == ',' && tokens.peek().is_none() => {}
                TokenTree::Punct(mark) => self.text(mark.as_char().encode_utf8(&mut [0; 4])),
                TokenTree::Ident(word) => self.text(&word.to_string()),
                TokenTree::Literal(literal) => self.text(&literal.to_string()),
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => {
                            self.stream(group.stream());
                            continue;
                        }
                    };
                    self.text(open);
                    self.stream(group.stream());
                    self.text(close);
                }
            }
        }
    }

    /// Ends each text with a zero byte, so that `ab c` and `a bc` differ.
    fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Whether `token` is the `[doc = "…"]` of a doc comment.
fn is_doc(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket && matches!(first, Some(TokenTree::Ident(word)) if word == "doc")
}

#[cfg(test)]
mod tests {
    use super::source_hash;

    fn hash(source: &str) -> u64 {
        source_hash(source.parse().expect("test sources are tokens"))
    }

    #[test]
    fn looks_do_not_count() {
        let plain = hash("async fn pay(a: u32) -> R { f(a, 2).await }");

        assert_eq!(plain, hash("async fn pay(\n    a: u32, // the amount\n) -> R {\n    f( a, 2, ).await\n}"));
        assert_eq!(plain, hash("async fn pay(a: u32) -> R { /** why */ f(a, 2).await }"));
    }

    #[test]
    fn code_counts() {
        let plain = hash("async fn pay(a: u32) -> R { f(a, 2).await }");

        assert_ne!(plain, hash("async fn pay(a: u32) -> R { f(a, 3).await }"));
        assert_ne!(plain, hash("async fn pay(a: u64) -> R { f(a, 2).await }"));
        assert_ne!(hash("(ab c)"), hash("(a bc)"));
    }

    #[test]
    fn the_number_is_the_same_on_every_compiler() {
        assert_eq!(hash("async fn pay() {}"), 3_455_802_107_046_121_882);
    }
}

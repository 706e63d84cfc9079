//! Warns, at compile time, about calls in a workflow that answer differently on replay.
//!
//! A procedural macro cannot issue warnings on stable Rust. What it can do is use a constant that is
//! marked deprecated: the compiler then shows our sentence at the span of the user's own words.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree, token_stream};
use quote::quote_spanned;

/// What to look for.
enum Shape {
    /// The last words of a path: `SystemTime::now`, also as `std::time::SystemTime::now`.
    Ends(&'static [&'static str]),
    /// A whole path, as one would write it with or without its crate: `time::sleep`, `tokio::time::sleep`.
    Is(&'static str, &'static [&'static str]),
    /// The first words of a path, and at least one more.
    Starts(&'static [&'static str]),
    /// A macro: `tokio::select!`.
    Macro(&'static [&'static str]),
}
use Shape::{Ends, Is, Macro, Starts};

const CLOCK: &str = "gives another time on replay; use `DBOS::now().await`";
const UUID: &str = "gives another id on replay; use `DBOS::uuid().await`";
const RANDOM: &str = "gives another number on replay; use `DBOS::random().await`, or put it in a `#[step]`";
const SPAWN: &str = "starts a task that does not belong to the workflow: its steps are not recorded; use `tokio::join!`, or `DBOS::start_workflow(..)`";
const BLOCKING: &str = "is not recorded, so it runs again on replay; put it in a `#[step]`";
const SELECT: &str = "does not record which branch won, so a replay may take the other; use `dbos::select!`";
const SLEEP: &str = "starts over after a crash; use `DBOS::sleep(..).await`";
const TIMEOUT: &str = "starts over after a crash, and a replay may end differently; give the step or workflow a `timeout`, or use `dbos::select!` with `DBOS::sleep(..)`";
const ENVIRONMENT: &str =
    "may answer differently on another machine; pass it as an argument, or read it in a `#[step]`";
const OUTSIDE: &str = "is not recorded, so it happens again on replay; put it in a `#[step]`";
const BRANCH: &str = "blocks that run side by side take step ids in the order in which they get on, which a replay may change; make what this one does a `#[workflow]`, or await one call in it";
const QUERY: &str = "is not recorded, so it happens again on replay; put it in a `#[transaction]`";

/// Every spelling that warns, and what is said about it.
const TABLE: &[(Shape, &str)] = &[
    (Ends(&["SystemTime", "now"]), CLOCK),
    (Ends(&["Instant", "now"]), CLOCK),
    (Ends(&["Utc", "now"]), CLOCK),
    (Ends(&["Local", "now"]), CLOCK),
    (Ends(&["Timestamp", "now"]), CLOCK),
    (Ends(&["Zoned", "now"]), CLOCK),
    (Ends(&["OffsetDateTime", "now_utc"]), CLOCK),
    (Ends(&["OffsetDateTime", "now_local"]), CLOCK),
    (Ends(&["Uuid", "new_v4"]), UUID),
    (Ends(&["Uuid", "now_v7"]), UUID),
    (Ends(&["Uuid", "now_v6"]), UUID),
    (Ends(&["Uuid", "now_v1"]), UUID),
    (Ends(&["thread_rng"]), RANDOM),
    (Starts(&["rand"]), RANDOM),
    (Starts(&["fastrand"]), RANDOM),
    (Starts(&["getrandom"]), RANDOM),
    (Is("tokio", &["spawn"]), SPAWN),
    (Is("tokio", &["task", "spawn"]), SPAWN),
    (Is("tokio", &["task", "spawn_local"]), SPAWN),
    (Is("tokio", &["task", "JoinSet", "new"]), SPAWN),
    (Is("std", &["thread", "spawn"]), SPAWN),
    (Ends(&["spawn_blocking"]), BLOCKING),
    (Macro(&["tokio", "select"]), SELECT),
    (Macro(&["futures", "select"]), SELECT),
    (Macro(&["futures_util", "select"]), SELECT),
    (Is("tokio", &["time", "sleep"]), SLEEP),
    (Is("tokio", &["time", "sleep_until"]), SLEEP),
    (Is("std", &["thread", "sleep"]), SLEEP),
    (Is("tokio", &["time", "timeout"]), TIMEOUT),
    (Is("tokio", &["time", "timeout_at"]), TIMEOUT),
    (Is("tokio", &["time", "interval"]), TIMEOUT),
    (Is("std", &["env", "var"]), ENVIRONMENT),
    (Is("std", &["env", "var_os"]), ENVIRONMENT),
    (Is("std", &["env", "vars"]), ENVIRONMENT),
    (Is("std", &["env", "args"]), ENVIRONMENT),
    (Starts(&["reqwest", "Client"]), OUTSIDE),
    (Starts(&["reqwest", "blocking"]), OUTSIDE),
    (Ends(&["reqwest", "get"]), OUTSIDE),
    (Starts(&["ureq"]), OUTSIDE),
    (Starts(&["tokio", "fs"]), OUTSIDE),
    (Starts(&["std", "fs"]), OUTSIDE),
    (Ends(&["sqlx", "query"]), QUERY),
    (Ends(&["sqlx", "query_as"]), QUERY),
    (Ends(&["sqlx", "query_scalar"]), QUERY),
    (Macro(&["sqlx", "query"]), QUERY),
    (Macro(&["sqlx", "query_as"]), QUERY),
    (Macro(&["sqlx", "query_scalar"]), QUERY),
];

/// Code that makes the compiler warn about each suspicious call in `body`.
pub(crate) fn warnings(body: TokenStream) -> TokenStream {
    let mut found = Vec::new();
    scan(body, &mut found);
    found.iter().map(warning).collect()
}

/// A path in the body, word by word.
struct Written {
    words: Vec<Ident>,
    is_macro: bool,
}

impl Written {
    fn text(&self) -> String {
        let words: Vec<_> = self.words.iter().map(Ident::to_string).collect();
        words.join("::") + if self.is_macro { "!" } else { "" }
    }
}

impl Shape {
    fn matches(&self, path: &Written) -> bool {
        let words = &path.words;
        match self {
            Ends(end) => !path.is_macro && words.len() >= end.len() && same(&words[words.len() - end.len()..], end),
            Is(krate, rest) => {
                let without_crate = if words[0] == krate { &words[1..] } else { words };
                // A single word must name its crate: `spawn(..)` may be anybody's.
                let named = rest.len() > 1 || words.len() > rest.len();
                !path.is_macro && named && same(without_crate, rest)
            }
            Starts(start) => !path.is_macro && words.len() > start.len() && same(&words[..start.len()], start),
            Macro(name) => path.is_macro && same(words, name),
        }
    }
}

fn same(words: &[Ident], expected: &[&str]) -> bool {
    words.len() == expected.len() && words.iter().zip(expected).all(|(word, expected)| word == expected)
}

fn warning(found: &(Written, &str)) -> TokenStream {
    let (path, advice) = found;
    let word = path.words.last().expect("a path has at least one word");
    // Mixed-site hygiene keeps the constant out of the user's way; the location stays theirs.
    let span = word.span().resolved_at(Span::mixed_site());
    let note = format!("`{}` {advice} (to silence this: `#[workflow(allow_nondeterminism)]`)", path.text());
    let name = Ident::new("nondeterministic", span);
    quote_spanned! {span=>
        const _: () = {
            #[deprecated(note = #note)]
            #[allow(non_upper_case_globals)]
            const #name: () = ();
            #name
        };
    }
}

/// Collects what is found in `tokens`, at every depth. Text in quotes is one token and never matches.
fn scan(tokens: TokenStream, found: &mut Vec<(Written, &'static str)>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut after_dot = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => scan(lone_block(&group, &tokens).unwrap_or_else(|| group.stream()), found),
            TokenTree::Ident(word) if word == "async" && is_branch(&tokens) => {
                found.push((Written { words: vec![word], is_macro: false }, BRANCH));
            }
            // An import is no call.
            TokenTree::Ident(word) if word == "use" => skip_import(&mut tokens),
            TokenTree::Ident(word) => {
                let path = path(word, &mut tokens);
                let ours = path.words[0] == "crate"
                    || path.words[0] == "self"
                    || path.words[0] == "super"
                    || path.words[0] == "dbos";
                if !after_dot
                    && !ours
                    && let Some((_, advice)) = TABLE.iter().find(|(shape, _)| shape.matches(&path))
                {
                    found.push((path, advice));
                }
                after_dot = false;
            }
            TokenTree::Punct(mark) => after_dot = mark.as_char() == '.',
            TokenTree::Literal(_) => after_dot = false,
        }
    }
}

/// Whether the block after `async` awaits several calls and is itself not awaited where it stands.
fn is_branch(after_async: &Peekable<token_stream::IntoIter>) -> bool {
    let mut tokens = after_async.clone().filter(|token| !matches!(token, TokenTree::Ident(word) if word == "move"));
    let Some(TokenTree::Group(block)) = tokens.next() else { return false };
    let is_awaited = is_mark(tokens.next(), '.') && is_await(tokens.next());
    block.delimiter() == Delimiter::Brace && !is_awaited && awaits(block.stream()) > 1
}

/// The content of an `async` block that is the only argument of a call which is awaited where it stands, as that of
/// `saga.run(async { … }).await`: nothing runs beside it.
fn lone_block(arguments: &Group, after: &Peekable<token_stream::IntoIter>) -> Option<TokenStream> {
    let mut after = after.clone();
    let is_awaited = is_mark(after.next(), '.') && is_await(after.next());
    let mut tokens =
        arguments.stream().into_iter().filter(|token| !matches!(token, TokenTree::Ident(word) if word == "move"));
    let is_async = matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "async");
    let Some(TokenTree::Group(block)) = tokens.next() else { return None };
    let is_alone = tokens.all(|token| is_mark(Some(token), ','));
    (arguments.delimiter() == Delimiter::Parenthesis && is_awaited && is_async && is_alone).then(|| block.stream())
}

/// How often `tokens` await something, at every depth but in blocks of their own.
fn awaits(tokens: TokenStream) -> usize {
    let mut after_async = false;
    let mut count = 0;
    for token in tokens {
        count += match &token {
            TokenTree::Group(group) if !after_async => awaits(group.stream()),
            _ => usize::from(is_await(Some(token.clone()))),
        };
        after_async = matches!(&token, TokenTree::Ident(word) if word == "async" || (after_async && word == "move"));
    }
    count
}

fn is_await(token: Option<TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Ident(word)) if word == "await")
}

/// Reads on from `first` as long as `::` and another word follow.
fn path(first: Ident, tokens: &mut Peekable<token_stream::IntoIter>) -> Written {
    let mut words = vec![first];
    loop {
        let mut ahead = tokens.clone();
        if !(is_mark(ahead.next(), ':') && is_mark(ahead.next(), ':')) {
            break;
        }
        let Some(TokenTree::Ident(word)) = ahead.next() else { break };
        words.push(word);
        *tokens = ahead;
    }
    let mut ahead = tokens.clone();
    let is_macro = matches!(ahead.next(), Some(TokenTree::Punct(mark)) if mark.as_char() == '!' && mark.spacing() == Spacing::Alone)
        && matches!(ahead.next(), Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None);
    Written { words, is_macro }
}

fn is_mark(token: Option<TokenTree>, expected: char) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == expected)
}

fn skip_import(tokens: &mut Peekable<token_stream::IntoIter>) {
    for token in tokens {
        if matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ';') {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scan;

    fn found(body: &str) -> Vec<String> {
        let mut found = Vec::new();
        scan(body.parse().expect("test bodies are tokens"), &mut found);
        found.iter().map(|(path, _)| path.text()).collect()
    }

    #[test]
    fn spellings_that_must_warn() {
        for (body, expected) in [
            ("SystemTime::now()", "SystemTime::now"),
            ("std::time::SystemTime::now()", "std::time::SystemTime::now"),
            ("::std::time::Instant::now().elapsed()", "std::time::Instant::now"),
            ("chrono::Utc::now()", "chrono::Utc::now"),
            ("Local::now()", "Local::now"),
            ("jiff::Timestamp::now()", "jiff::Timestamp::now"),
            ("Zoned::now()", "Zoned::now"),
            ("Uuid::new_v4().to_string()", "Uuid::new_v4"),
            ("uuid::Uuid::now_v7()", "uuid::Uuid::now_v7"),
            ("rand::random::<f64>()", "rand::random"),
            ("rand::rng().random_range(0..9)", "rand::rng"),
            ("fastrand::u8(..)", "fastrand::u8"),
            ("thread_rng().gen()", "thread_rng"),
            ("tokio::spawn(async {})", "tokio::spawn"),
            ("task::spawn(f())", "task::spawn"),
            ("tokio::task::spawn_blocking(f)", "tokio::task::spawn_blocking"),
            ("spawn_blocking(f)", "spawn_blocking"),
            ("thread::spawn(f)", "thread::spawn"),
            ("tokio::select! { _ = a => {}, _ = b => {} }", "tokio::select!"),
            ("tokio::time::sleep(d).await", "tokio::time::sleep"),
            ("time::sleep(d).await", "time::sleep"),
            ("std::thread::sleep(d)", "std::thread::sleep"),
            ("time::timeout(d, step()).await", "time::timeout"),
            ("tokio::time::interval(d)", "tokio::time::interval"),
            ("std::env::var(\"HOME\")", "std::env::var"),
            ("env::var(\"HOME\")", "env::var"),
            ("reqwest::get(url).await", "reqwest::get"),
            ("reqwest::Client::new()", "reqwest::Client::new"),
            ("println!(\"{:?}\", SystemTime::now())", "SystemTime::now"),
            ("names.map(|_| Uuid::new_v4())", "Uuid::new_v4"),
            ("tokio::fs::read(path).await", "tokio::fs::read"),
            ("sqlx::query(\"SELECT 1\")", "sqlx::query"),
            ("tokio::join!(async { a().await?; b().await }, c())", "async"),
            ("both.push(async { a().await?; b().await })", "async"),
            ("run(async { a().await?; b().await }, c()).await", "async"),
            ("saga.run(async { SystemTime::now(); a().await?; b().await }).await", "SystemTime::now"),
            ("join_all(names.map(|name| async move { if a(name).await { b(name).await } })).await", "async"),
        ] {
            assert_eq!(found(body), [expected], "{body}");
        }
    }

    #[test]
    fn lookalikes_that_must_not_warn() {
        for body in [
            "dbos::select! { _ = a => {}, _ = b => {} }",
            "DBOS::sleep(d).await",
            "DBOS::now().await",
            "DBOS::random().await",
            "clock.now()",
            "self.rand.random()",
            "sleep(d).await",
            "spawn(f)",
            "select! { _ = a => {} }",
            "crate::time::sleep(d)",
            "self::thread_rng()",
            "\"SystemTime::now()\"",
            "println!(\"tokio::spawn\")",
            "use tokio::time::sleep; step().await",
            "let rand = 4; rand + 1",
            "let env = args.env; env.var",
            "env!(\"HOME\")",
            "fn f(e: reqwest::Error) {}",
            "Instant { now: 1 }",
            "Now::instant()",
            "my::rand::random()",
            "tokio::join!(a, b)",
            "std::time::Duration::from_secs(1)",
            "matches!(x, Timestamp::Zero)",
            "async { a().await?; b().await }.await",
            "tokio::join!(async { a().await }, async move { b().await })",
            "async { async { a().await }.await }",
            "saga.run(async move { a().await?; b().await }).await",
            "async fn helper() { a().await; b().await }",
            "struct Branch { r#async: bool }",
        ] {
            assert_eq!(found(body), [""; 0], "{body}");
        }
    }
}

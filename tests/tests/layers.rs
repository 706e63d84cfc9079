//! Imports point downwards: a file of the runtime uses its own noun and what stands below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The modules of the runtime, from the top to the bottom. Those of one row do not know each other.
const LAYERS: &[&[&str]] = &[
    // What generated code may name: re-exports from everywhere.
    &["__private", "private"],
    // What fuzz targets may call.
    &["fuzzing"],
    &["app", "main"],
    &["http"],
    &["dbos", "client"],
    &["replay"],
    &["management"],
    &["engine"],
    &["service"],
    &["select", "saga"],
    &["message", "event", "stream"],
    &["follow"],
    &["workflow"],
    &["step"],
    &["checkpoint"],
    &["context"],
    &["executor", "rehearsal"],
    &["round"],
    &["catalog"],
    &["registry"],
    &["store"],
    &["codec", "again", "history", "caller", "waits"],
    &["config", "queue", "schedule", "telemetry"],
    &["clock", "wakeup", "failpoint", "state"],
    &["id", "status", "platform", "retry"],
    &["random"],
    &["error"],
];

#[test]
fn imports_of_the_runtime_point_downwards() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../dbos-runtime/src"));

    let complaints = check(&read(source));

    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The source files by their path below `src`.
type Sources = BTreeMap<PathBuf, String>;

fn read(folder: &Path) -> Sources {
    let mut sources = Sources::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("the runtime lies beside the tests") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).expect("found below it").to_owned();
                sources.insert(name, fs::read_to_string(path).expect("a readable file"));
            }
        }
    }
    sources
}

fn check(sources: &Sources) -> Vec<String> {
    let root = sources.get(Path::new("lib.rs")).map_or_else(Reexports::default, |text| reexports(text));
    let mut complaints = Vec::new();
    for (path, text) in sources {
        let module = module_path(path);
        let Some(noun) = module.first() else { continue };
        let Some(layer) = layer(noun) else {
            complaints.push(format!("{}: `{noun}` stands in no layer", path.display()));
            continue;
        };
        for name in uses(text, &module) {
            let used = root.get(&name).unwrap_or(&name);
            if used == noun {
                continue;
            }
            match self::layer(used) {
                None => complaints.push(format!("{}: `crate::{name}` stands in no layer", path.display())),
                Some(below) if below > layer => {}
                Some(_) => complaints.push(format!("{}: `{noun}` may not use `{used}`", path.display())),
            }
        }
    }
    complaints
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// `store/backend/sqlite.rs` is `[store, backend, sqlite]`; `lib.rs` is the root.
fn module_path(path: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// Names at the root of the crate and the module each comes from.
type Reexports = BTreeMap<String, String>;

fn reexports(root: &str) -> Reexports {
    let tokens: Vec<TokenTree> = parse(root).into_iter().collect();
    let mut found = Reexports::new();
    for (index, token) in tokens.iter().enumerate() {
        if is_word(token, "use") {
            let end = tokens[index..].iter().position(|token| is_mark(token, ';')).expect("a  ends");
            leaves(&tokens[index + 1..index + end], &[], &mut |path, name| {
                let start = usize::from(matches!(path[0].as_str(), "crate" | "self"));
                found.insert(name.to_owned(), path[start].clone());
            });
        }
    }
    found
}

/// Every name that a `use` brings in, with the whole path it comes from.
fn leaves(tree: &[TokenTree], before: &[String], found: &mut impl FnMut(&[String], &str)) {
    for branch in tree.split(|token| is_mark(token, ',')) {
        let mut path = before.to_vec();
        let mut alias = None;
        for (index, token) in branch.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = branch.get(index + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    leaves(&inner, &path, found);
                    path.clear();
                }
                _ => {}
            }
        }
        if let Some(name) = alias.or_else(|| path.last().cloned()).filter(|_| !path.is_empty()) {
            found(&path, &name);
        }
    }
}

/// What a file names at the root of the crate. The tokens hold no comments, and strings are not looked into.
fn uses(text: &str, module: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    search(parse(text), module.len(), &mut found);
    found
}

fn parse(text: &str) -> TokenStream {
    TokenStream::from_str(text).expect("the file can be read as Rust")
}

fn search(tokens: TokenStream, depth: usize, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let nested = index >= 2 && group.delimiter() == Delimiter::Brace && is_word(&tokens[index - 2], "mod");
            search(group.stream(), depth + usize::from(nested), found);
        }
        let follows_path = index >= 2 && after_colons(&tokens[index - 2..]).is_some();
        if !follows_path && let Some(rest) = at_root(&tokens[index..], depth) {
            // What an exported macro names is resolved in the user's crate, by the door made for it.
            let in_macro =
                index >= 1 && matches!(&tokens[index - 1], TokenTree::Punct(dollar) if dollar.as_char() == '$');
            found.extend(first_names(rest).into_iter().filter(|name| !in_macro || name != "__private"));
        }
    }
}

/// What stands after `crate::`, or after as many `super::` as lead there.
fn at_root(tokens: &[TokenTree], depth: usize) -> Option<&[TokenTree]> {
    let mut left = match tokens.first()? {
        token if is_word(token, "crate") => 0,
        token if is_word(token, "super") => depth.checked_sub(1)?,
        _ => return None,
    };
    let mut rest = after_colons(&tokens[1..])?;
    while left > 0 && rest.first().is_some_and(|token| is_word(token, "super")) {
        left -= 1;
        rest = after_colons(&rest[1..])?;
    }
    (left == 0).then_some(rest)
}

fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [first, second, rest @ ..] if is_mark(first, ':') && is_mark(second, ':') => Some(rest),
        _ => None,
    }
}

fn first_names(tokens: &[TokenTree]) -> Vec<String> {
    match tokens {
        // A macro is at the root wherever it is written.
        [TokenTree::Ident(_), mark, ..] if is_mark(mark, '!') => Vec::new(),
        [TokenTree::Ident(name), ..] => vec![name.to_string()],
        [TokenTree::Group(group), ..] => {
            let tree: Vec<TokenTree> = group.stream().into_iter().collect();
            tree.split(|token| is_mark(token, ',')).flat_map(first_names).collect()
        }
        _ => Vec::new(),
    }
}

fn is_word(token: &TokenTree, text: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == text)
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    check(&files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
}

#[test]
fn an_import_downwards_is_fine() {
    let step = "use std::fmt; use crate::{store::Store, checkpoint::{self, Checkpoint}}; use super::retry::Policy;";

    assert_eq!(complaints(&[("step/run.rs", step)]), [""; 0]);
}

#[test]
fn an_import_upwards_is_seen_in_every_spelling() {
    for text in [
        "use crate::workflow::Start;",
        "use crate::{error::Error, workflow::{Start, Handle}};",
        "use super::super::workflow::Start;",
        "fn f() { crate::workflow::start() }",
        "fn f(start: crate::workflow::Start) {}",
        "static S: &[&crate::workflow::Start] = &[];",
        "mod tests { use super::super::super::workflow::Start; }",
        "macro_rules! m { () => { $crate::workflow::start() } }",
    ] {
        let expected = "store/sql.rs: `store` may not use `workflow`";
        assert_eq!(complaints(&[("store/sql.rs", text)]), [expected], "{text}");
    }
}

#[test]
fn an_import_through_the_root_counts_where_it_comes_from() {
    let root = "mod store; pub use workflow::{handle::WorkflowHandle, Start as Begin}; pub use crate::error::Error;";

    for name in ["WorkflowHandle", "Begin"] {
        let text = format!("use crate::{{Error, {name}}};");
        let expected = "store/mod.rs: `store` may not use `workflow`";
        assert_eq!(complaints(&[("lib.rs", root), ("store/mod.rs", &text)]), [expected], "{name}");
    }
}

#[test]
fn neighbours_of_one_row_do_not_know_each_other() {
    let complaints = complaints(&[("event.rs", "use crate::message::Topic;")]);

    assert_eq!(complaints, ["event.rs: `event` may not use `message`"]);
}

#[test]
fn comments_and_strings_are_no_imports() {
    let text = "//! [`crate::workflow`]\n/* crate::workflow */ const A: &str = \"crate::workflow\"; const B: &str = r#\"crate::workflow\"#;";

    assert_eq!(complaints(&[("store/mod.rs", text)]), [""; 0]);
}

#[test]
fn a_module_without_a_layer_is_refused() {
    let complaints = complaints(&[("gadget/mod.rs", ""), ("store/mod.rs", "use crate::gizmo::Gizmo;")]);

    assert_eq!(
        complaints,
        ["gadget/mod.rs: `gadget` stands in no layer", "store/mod.rs: `crate::gizmo` stands in no layer"]
    );
}

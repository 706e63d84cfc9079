//! What the macros make of a user's code: mistakes are explained where they are made, suspicious calls are warned
//! about, and everything else compiles.
//!
//! The mistakes lie in `ui/fail`, a file each, with what the compiler says beside it; `TRYBUILD=overwrite` writes that
//! anew. The first run builds the dependencies once more, without code.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "ui/pass/mod.rs"]
mod pass;

#[test]
fn mistakes_and_suspicious_calls_are_explained_where_they_are_made() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.compile_fail("tests/ui/warn/*.rs");
}

#[test]
fn every_explanation_is_ours_and_hides_the_machinery() {
    let explanations: Vec<_> = ["fail", "warn"].into_iter().flat_map(explanations).collect();

    assert!(explanations.len() >= 30, "{} mistakes are too few", explanations.len());
    for (file, explanation) in explanations {
        let first = explanation.lines().next().unwrap_or_default();
        assert!(first.starts_with("error"), "{} does not begin with its error", file.display());
        for theirs in ["cannot find", "mismatched types", "trait bound", "no method", "cannot be sent", "unresolved"] {
            assert!(!first.contains(theirs), "{}: the compiler speaks first: {first}", file.display());
        }
        for hidden in ["__private", "cannot find function", "internal compiler error", "panicked"] {
            assert!(!explanation.contains(hidden), "{} shows `{hidden}`", file.display());
        }
    }
}

/// What the compiler says to each file of a folder.
fn explanations(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("a readable folder").path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = fs::read_to_string(path.with_extension("stderr")).unwrap_or_default();
            (path, text)
        })
        .collect()
}

//! A doc comment, taken apart: one sentence, all of it, and what it says of errors.

use std::collections::BTreeMap;

/// What a doc comment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Its first paragraph, in one line.
    pub(super) summary: String,
    /// All of it but the errors.
    pub(super) description: String,
    /// What stands under `# Errors`, by status; who has the heading means all errors of the function.
    pub(super) errors: Option<BTreeMap<u16, String>>,
}

impl Words {
    pub(super) fn read(comment: &str) -> Self {
        let mut description = Vec::new();
        let mut errors: Option<Vec<&str>> = None;
        let mut in_errors = false;
        for line in comment.lines().map(str::trim_end) {
            if line.starts_with('#') {
                in_errors = line.trim_start_matches('#').trim() == "Errors";
            }
            if in_errors {
                errors.get_or_insert_default().push(line.trim_start());
            } else {
                description.push(line);
            }
        }
        let description = description.join("\n").trim().to_owned();
        let summary = description.split("\n\n").next().unwrap_or_default().lines().map(str::trim);
        let summary = summary.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned();
        Self { summary, description, errors: errors.map(|lines| by_status(&lines)) }
    }
}

/// `- 404: there is no such order` is about 404, and so are the lines after it.
fn by_status(lines: &[&str]) -> BTreeMap<u16, String> {
    let mut errors: BTreeMap<u16, String> = BTreeMap::new();
    let mut last = None;
    for line in lines {
        if let Some((status, words)) = begins_with_status(line) {
            errors.insert(status, words.to_owned());
            last = Some(status);
        } else if line.is_empty() {
            last = None;
        } else if let Some(words) = last.and_then(|status| errors.get_mut(&status)) {
            *words = format!("{words} {line}");
        }
    }
    errors
}

fn begins_with_status(line: &str) -> Option<(u16, &str)> {
    let line = line.trim_start_matches(['-', '*', ' ']);
    let (status, words) = line.split_once([':', ' '])?;
    let status = status.trim_matches('`').parse().ok().filter(|status| (400..600).contains(status))?;
    Some((status, words.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_a_sentence_a_text_and_errors_by_status() {
        let comment = "Buys\na widget.\n\nOne at a time.\n\n# Errors\n\n- 404: no such\n  widget\n- `409`: sold out\n\n# Notes\n\nNone.";

        let words = Words::read(comment);

        assert_eq!(words.summary, "Buys a widget");
        assert_eq!(words.description, "Buys\na widget.\n\nOne at a time.\n\n# Notes\n\nNone.");
        let errors = [(404, "no such widget".to_owned()), (409, "sold out".to_owned())];
        assert_eq!(words.errors, Some(BTreeMap::from(errors)));
    }

    #[test]
    fn a_comment_without_the_heading_says_nothing_of_errors() {
        assert_eq!(Words::read(""), Words::default());
        assert_eq!(Words::read("404: a number.").errors, None);
        assert_eq!(Words::read("# Errors\n\nSome.").errors, Some(BTreeMap::new()));
    }
}

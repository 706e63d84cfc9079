//! The path of a route as it is written: `/order/:order_id`, `/checkout/:key?`, `/order/{order_id}`.

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter { name: String, optional: bool },
}

impl Pattern {
    /// Reads `path`; the error is a sentence that says what to write instead.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let rest = path.strip_prefix('/').ok_or_else(|| format!("the path `{path}` must begin with `/`"))?;
        let segments = rest.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        let pattern = Self { segments };
        pattern.check(path)?;
        Ok(pattern)
    }

    fn check(&self, path: &str) -> Result<(), String> {
        let names: Vec<_> = self.names().collect();
        if let Some(twice) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            return Err(format!("the path `{path}` names `{}` twice; give each parameter a name of its own", twice.1));
        }
        let (_, before_last) = self.segments.split_last().expect("splitting yields at least one segment");
        if before_last.iter().any(|segment| matches!(segment, Segment::Parameter { optional: true, .. })) {
            return Err(format!("in the path `{path}` only the last parameter may be optional"));
        }
        Ok(())
    }

    /// The parameters' names, from left to right.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter { name, .. } => Some(name.as_str()),
        })
    }

    /// The path in axum's spelling, once for each form it can be called in.
    ///
    /// Parameters are numbered, because the router wants one name for one place, while two routes
    /// may call it `:id` and `:key`.
    pub(crate) fn spellings(&self) -> Vec<String> {
        let mut parameters = 0;
        let mut spelling = String::new();
        let mut shorter = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => spelling = format!("{spelling}/{literal}"),
                Segment::Parameter { optional, .. } => {
                    if *optional {
                        shorter.extend(without_last(&spelling));
                    }
                    spelling = format!("{spelling}/{{{}}}", parameter(parameters));
                    parameters += 1;
                }
            }
        }
        shorter.push(spelling);
        shorter
    }
}

/// What the router calls the parameter at `index`.
pub(crate) fn parameter(index: usize) -> String {
    format!("p{index}")
}

/// `/checkout` and `/checkout/`: both mean that the parameter is left out.
fn without_last(spelling: &str) -> Vec<String> {
    let with_slash = format!("{spelling}/");
    if spelling.is_empty() { vec![with_slash] } else { vec![spelling.to_owned(), with_slash] }
}

fn segment(text: &str) -> Result<Segment, String> {
    if let Some(name) = text.strip_prefix(':') {
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        return named(name, optional);
    }
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return named(name, false);
    }
    if text.bytes().all(is_plain) {
        return Ok(Segment::Literal(text.to_owned()));
    }
    Err(format!(
        "`{text}` cannot stand in a path; write `:name`, `:name?` or `{{name}}` for a parameter, and plain letters otherwise"
    ))
}

fn named(name: &str, optional: bool) -> Result<Segment, String> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts_well && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(Segment::Parameter { name: name.to_owned(), optional });
    }
    Err(format!("`{name}` cannot name a parameter; use the name of an argument of the function"))
}

/// The characters that stand for themselves in a path.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(path: &str) -> Vec<String> {
        Pattern::parse(path).expect("a good path").spellings()
    }

    #[test]
    fn every_way_to_write_a_parameter_means_the_same() {
        assert_eq!(spellings("/order/:id"), ["/order/{p0}"]);
        assert_eq!(spellings("/order/{id}"), ["/order/{p0}"]);
        assert_eq!(spellings("/webhook/:key/:status"), ["/webhook/{p0}/{p1}"]);
        assert_eq!(spellings("/"), ["/"]);
    }

    #[test]
    fn an_optional_parameter_may_be_left_out_with_or_without_its_slash() {
        assert_eq!(spellings("/checkout/:key?"), ["/checkout", "/checkout/", "/checkout/{p0}"]);
        assert_eq!(spellings("/:key?"), ["/", "/{p0}"]);
    }

    #[test]
    fn a_path_that_cannot_work_is_refused_in_words() {
        for (path, part) in [
            ("order", "begin with `/`"),
            ("/:a/:a", "twice"),
            ("/:a?/b", "only the last"),
            ("/{*rest}", "cannot name a parameter"),
            ("/:", "cannot name a parameter"),
            ("/a b", "cannot stand in a path"),
            ("/v{id}", "cannot stand in a path"),
        ] {
            let reason = Pattern::parse(path).expect_err(path);
            assert!(reason.contains(part), "{path}: {reason}");
        }
    }
}

//! What the routes say of themselves: an OpenAPI 3.1 document, made of what their attributes know, and a page to read it on.

mod answers;
mod document;
mod errors;
mod names;
mod operation;
mod page;
mod schema;
mod words;

pub use answers::nameless as answer_tiers;
pub use operation::Operation;
pub(super) use page::{File, files};
pub use schema::{Described, nameless as schema_tiers};

/// Where a program tells of its routes, and under which name.
///
/// ```
/// use dbos::http::Documentation;
///
/// let documentation = Documentation { title: "Shop".to_owned(), version: "2".to_owned(), ..Documentation::default() };
/// assert_eq!(documentation.document, "/openapi.json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documentation {
    /// Whether there is a document and a page; there are.
    pub served: bool,
    /// The path of the OpenAPI document; `/openapi.json`.
    pub document: String,
    /// The path of the page; `/docs`.
    pub page: String,
    /// What the routes are called together; without a title it is the crate of the first.
    pub title: String,
    /// Their version, in whatever form; `unversioned`.
    pub version: String,
}

impl Default for Documentation {
    fn default() -> Self {
        Self {
            served: true,
            document: "/openapi.json".to_owned(),
            page: "/docs".to_owned(),
            title: String::new(),
            version: "unversioned".to_owned(),
        }
    }
}

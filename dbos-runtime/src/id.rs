//! Names that users choose: workflow ids, event keys, topics. They are checked once, at the edge.

use uuid::Uuid;

use crate::error::{Error, Result};

/// Longest id, key or topic, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// Separates what the engine makes up from what users may write, as in `{parent}-{step id}`.
const CHILD_SEPARATOR: char = '-';

/// What becomes of a start whose workflow id is taken by a run of the same function.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum IdReuse {
    /// It attaches to that run. The default.
    #[default]
    Attach,
    /// It is refused with [`Error::AlreadyStarted`].
    Reject,
}

/// A fresh workflow id.
#[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
pub(crate) fn random_id() -> String {
    Uuid::new_v4().to_string()
}

/// The id of the child that is started at `step` of `parent`.
pub(crate) fn child_id(parent: &str, step: u32) -> String {
    format!("{parent}{CHILD_SEPARATOR}{step}")
}

/// Another id for the same child, for when a stranger has taken the first.
pub(crate) fn sidestepped_child_id(parent: &str, step: u32) -> String {
    format!("{parent}{CHILD_SEPARATOR}{step}{CHILD_SEPARATOR}{}", &random_id()[..8])
}

/// Refuses what a database or another language could not store as `what`.
pub(crate) fn check_key(what: &str, key: &str) -> Result<()> {
    let refuse = |reason: String| Err(Error::InvalidKey { what: what.to_owned(), reason });
    if key.is_empty() {
        return refuse("it is empty; give it at least one character".to_owned());
    }
    if key.len() > MAX_KEY_BYTES {
        return refuse(format!("it has {} bytes and may have {MAX_KEY_BYTES}; shorten it", key.len()));
    }
    if key.chars().any(char::is_control) {
        return refuse("it has a NUL or another control character; leave it out".to_owned());
    }
    Ok(())
}

/// Lets a name that carries a type be copied and shown whatever that type is; a `derive` would ask it for the same.
macro_rules! typed_name {
    ($type:ident, $name:ident) => {
        impl<T> Clone for $type<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $type<T> {}

        impl<T> std::fmt::Debug for $type<T> {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_tuple(stringify!($type)).field(&self.$name).finish()
            }
        }
    };
}
pub(crate) use typed_name;

/// What can be given as a workflow id: text, or an `Option` of it whose `None` means "make one up".
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no workflow id",
    label = "a workflow id is text",
    note = "give a `&str` or a `String`, for example `number.to_string()`, or an `Option` of one"
)]
pub trait IntoWorkflowId {
    /// The id, if one was given.
    fn into_workflow_id(self) -> Option<String>;
}

impl IntoWorkflowId for String {
    fn into_workflow_id(self) -> Option<String> {
        Some(self)
    }
}

impl IntoWorkflowId for &String {
    fn into_workflow_id(self) -> Option<String> {
        Some(self.clone())
    }
}

impl IntoWorkflowId for &str {
    fn into_workflow_id(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<T: IntoWorkflowId> IntoWorkflowId for Option<T> {
    fn into_workflow_id(self) -> Option<String> {
        self.and_then(IntoWorkflowId::into_workflow_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_database_can_store_is_refused() {
        for bad in ["", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(check_key("workflow id", bad).is_err(), "{bad:?}");
        }
        for good in ["KEY-7", "ünïcode", " ", &"x".repeat(255)] {
            assert!(check_key("workflow id", good).is_ok(), "{good:?}");
        }
    }
}

//! The arguments of a body that may run more than once.

/// An owned argument of a step with retries, or of a transaction: each attempt gets a clone.
#[diagnostic::on_unimplemented(
    message = "this body may run more than once, so `{Self}` has to be `Clone`",
    label = "cloned for each attempt",
    note = "derive `Clone` for it, or take it by reference: `&{Self}`"
)]
pub trait Repeatable {
    /// A copy for the next attempt.
    fn repeat(&self) -> Self;
}

impl<T: Clone> Repeatable for T {
    fn repeat(&self) -> Self {
        self.clone()
    }
}

/// A copy of an argument for the next attempt.
pub fn again<T: Repeatable>(argument: &T) -> T {
    argument.repeat()
}

//! What the program provides for the functions that ask for it by type, with `#[state]`.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use crate::error::{Error, Result};

/// A type whose values can be provided.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be provided for functions to share",
    label = "this is lent to functions that run on any thread, for as long as the program runs",
    note = "it must be `Send` and `Sync`, and own its data; put what is not into a `Mutex`"
)]
pub trait StateValue: Any + Send + Sync {}

impl<T: Any + Send + Sync> StateValue for T {}

/// A function that asks for a type; the macros submit it.
#[derive(Debug)]
pub struct StateNeed {
    /// The function's name.
    pub function: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// The line it stands on.
    pub line: u32,
    /// The name of the type.
    pub name: fn() -> &'static str,
    /// The type.
    pub id: fn() -> TypeId,
}

inventory::collect!(StateNeed);

/// Values by their types.
#[derive(Clone, Default)]
pub(crate) struct States(BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>);

/// What the whole program has, whatever engine runs.
static PROGRAM: RwLock<States> = RwLock::new(States(BTreeMap::new()));

/// Provides `value` for the whole program.
pub(crate) fn provide<T: StateValue>(value: T) {
    PROGRAM.write().expect("no panic while held").add(value);
}

impl States {
    /// Takes the place of another of its type.
    pub(crate) fn add<T: StateValue>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of this type: our own, else the program's.
    pub(crate) fn get<T: StateValue>(&self) -> Option<Arc<T>> {
        let id = TypeId::of::<T>();
        let program = || PROGRAM.read().expect("no panic while held").0.get(&id).cloned();
        let value = self.0.get(&id).cloned().or_else(program)?;
        value.downcast().ok()
    }

    /// Refuses to go on without something that a function of the program asks for.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], which names each such function and its type.
    pub(crate) fn check(&self) -> Result<()> {
        let program = PROGRAM.read().expect("no panic while held");
        let is_there = |need: &StateNeed| [&self.0, &program.0].iter().any(|values| values.contains_key(&(need.id)()));
        let mut missing: Vec<_> = inventory::iter::<StateNeed>
            .into_iter()
            .filter(|need| !is_there(need))
            .map(|StateNeed { function, file, line, name, .. }| {
                format!("`{function}` at {file}:{line} needs `{}`", name())
            })
            .collect();
        missing.sort();
        if missing.is_empty() { Ok(()) } else { Err(not_provided(&missing.join(", "))) }
    }
}

pub(crate) fn not_provided(who_needs_what: &str) -> Error {
    Error::Configuration(format!(
        "{who_needs_what}, which nobody has provided; call `DBOS::provide(…)` before the launch or in the body of \
         `#[dbos::main]`, or `.provide(…)` on the `Config`"
    ))
}

impl fmt::Debug for States {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "States({})", self.0.len())
    }
}

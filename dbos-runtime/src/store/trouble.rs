//! What is tried again and again because the database fails: for the log, and for whoever asks how this process is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::retry::{is_conflict, is_damage, reason};
use crate::error::Error;

/// How long something is tried before it counts as more than a hiccup.
#[cfg_attr(not(feature = "http"), allow(dead_code))] // nobody else asks for the worst
const HICCUP: Duration = Duration::from_secs(1);
/// How long the log is silent about something that goes on failing.
const SILENCE: Duration = Duration::from_secs(30);

/// All that is being tried again. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    number: u64,
    open: BTreeMap<u64, (Instant, &'static str)>,
    /// No later success mends what is broken in the file.
    damage: Option<&'static str>,
}

impl Troubles {
    /// Of something that may have to be tried again, to "{action}".
    pub(crate) fn of(&self, action: &str) -> Trouble {
        Trouble { troubles: self.clone(), action: action.to_owned(), number: None, told: None, damage: None }
    }

    /// Keeps in mind that the database is damaged, if it is that.
    pub(crate) fn note_damage(&self, error: &sqlx::Error) {
        if is_damage(error) {
            self.list().damage = Some(reason(error));
        }
    }

    /// What is wrong, for people.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn worst(&self) -> Option<&'static str> {
        let list = self.list();
        let longest = list.open.values().find(|(since, _)| since.elapsed() > HICCUP);
        list.damage.or(longest.map(|(_, reason)| *reason))
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().expect("no panic while held")
    }
}

/// One thing that may have to be tried again. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Trouble {
    troubles: Troubles,
    action: String,
    number: Option<u64>,
    told: Option<Instant>,
    damage: Option<Error>,
}

impl Trouble {
    /// It failed, and will be tried again.
    pub(crate) fn note(&mut self, error: &sqlx::Error) {
        if self.told.is_none_or(|told| told.elapsed() > SILENCE) {
            self.told = Some(Instant::now());
            tracing::warn!(%error, "could not {}; trying again until the database answers", self.action);
        }
        let mut list = self.troubles.list();
        let number = *self.number.get_or_insert_with(|| {
            list.number += 1;
            list.number
        });
        list.open.entry(number).or_insert_with(|| (Instant::now(), "")).1 = reason(error);
    }
}

/// The trouble of what has several parts. It is over when the last of them is dropped.
#[derive(Clone, Debug)]
pub(crate) struct SharedTrouble(Arc<Mutex<Trouble>>);

impl SharedTrouble {
    /// See [`Trouble::note`]. Another transaction that was in the way is no trouble.
    pub(crate) fn note(&self, error: &sqlx::Error) {
        if !is_conflict(error) {
            self.0.lock().expect("no panic while held").note(error);
        }
    }

    /// Keeps in mind that the database is damaged, if it is that: what fails for that reason is not tried again.
    pub(crate) fn note_damage(&self, error: &sqlx::Error) {
        if is_damage(error) {
            let mut trouble = self.0.lock().expect("no panic while held");
            trouble.troubles.note_damage(error);
            let (action, message) = (trouble.action.clone(), error.to_string());
            trouble.damage = Some(Error::Database { action, message, source: None });
        }
    }

    /// The damage that was met, if any.
    pub(crate) fn damage(&self) -> Option<Error> {
        self.0.lock().expect("no panic while held").damage.clone()
    }
}

impl From<Trouble> for SharedTrouble {
    fn from(trouble: Trouble) -> Self {
        Self(Arc::new(Mutex::new(trouble)))
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.troubles.list().open.remove(&number);
        }
    }
}

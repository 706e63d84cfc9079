//! Workflows that left memory while they wait. What each waits for is kept, and nothing else of it; when it comes, the
//! workflow goes on by replay.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::fact::Fact;

/// What a workflow waits for, when it waits for nothing else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wait {
    /// The instant at which it goes on in any case.
    pub(crate) until_ms: Option<i64>,
    /// What lets it go on before.
    pub(crate) news: Vec<Fact>,
}

impl Wait {
    /// For an instant, and nothing else.
    pub(crate) fn until(instant_ms: i64) -> Self {
        Self { until_ms: Some(instant_ms), news: Vec::new() }
    }

    /// For the first of two.
    pub(crate) fn or(mut self, other: Self) -> Self {
        self.until_ms = self.until_ms.into_iter().chain(other.until_ms).min();
        self.news.extend(other.news);
        self
    }
}

/// A workflow that may have something to go on with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Due {
    pub(crate) workflow: String,
    /// The token of the run that it goes on with.
    pub(crate) owner: String,
    pub(crate) place: Place,
}

/// The place that a workflow has in the queue that it came out of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Place {
    /// It came out of none.
    #[default]
    None,
    /// It still has its place in this queue.
    Kept(String),
    /// It has to wait in this queue for another.
    GivenUp(String),
}

impl Place {
    pub(crate) fn is_given_up(&self) -> bool {
        matches!(self, Self::GivenUp(_))
    }

    /// The queue, if it still has its place there.
    pub(crate) fn kept(self) -> Option<String> {
        match self {
            Self::Kept(queue) => Some(queue),
            Self::None | Self::GivenUp(_) => None,
        }
    }
}

/// The workflows of one process that left memory.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    state: Mutex<State>,
    changed: Notify,
    missed: Notify,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<Arc<str>, Entry>,
    /// Those that wait for an instant, the earliest first.
    timers: BTreeSet<(i64, Arc<str>)>,
    /// Those that wait for what another workflow does, by the other.
    watchers: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// How many wait for anything but an instant.
    awaiting_news: usize,
    /// Those that have news.
    woken: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    owner: Box<str>,
    until_ms: Option<i64>,
    news: Box<[Fact]>,
    place: Place,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Its run has not ended yet.
    Leaving,
    Away,
    /// On its way back.
    Returning,
}

impl Parked {
    /// Notes what a run waits for that is about to leave: news is kept from now on.
    pub(crate) fn enter(&self, workflow: &str, owner: &str, wait: &Wait) {
        let mut state = self.lock();
        state.remove(workflow);
        let name: Arc<str> = workflow.into();
        for other in wait.news.iter().filter_map(other_workflow) {
            state.watchers.entry(other.into()).or_default().push(Arc::clone(&name));
        }
        let entry = Entry {
            owner: owner.into(),
            until_ms: wait.until_ms,
            news: wait.news.clone().into(),
            place: Place::None,
            stage: Stage::Leaving,
        };
        state.awaiting_news += usize::from(!entry.news.is_empty());
        state.runs.insert(name, entry);
    }

    /// The run is gone.
    pub(crate) fn leave(&self, workflow: &str, owner: &str, place: Place) {
        let mut state = self.lock();
        let Some((name, entry)) = state.entry(workflow, owner) else { return };
        entry.place = place;
        entry.stage = Stage::Away;
        if let Some(until_ms) = entry.until_ms {
            state.timers.insert((until_ms, name));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// It does not leave, or is back, or is somebody else's.
    pub(crate) fn forget(&self, workflow: &str) {
        self.lock().remove(workflow);
    }

    /// The same, if it is still the run that carries `owner`.
    pub(crate) fn forget_run(&self, workflow: &str, owner: &str) {
        let mut state = self.lock();
        if state.entry(workflow, owner).is_some() {
            state.remove(workflow);
        }
    }

    /// They have come back, or were no longer ours. One that has left again since stays.
    pub(crate) fn returned(&self, due: &[Due]) {
        let mut state = self.lock();
        for Due { workflow, owner, .. } in due {
            if state.entry(workflow, owner).is_some_and(|(_, entry)| entry.stage == Stage::Returning) {
                state.remove(workflow);
            }
        }
    }

    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    /// Notes news.
    pub(crate) fn wake(&self, fact: &Fact) {
        let mut state = self.lock();
        if state.runs.is_empty() {
            return;
        }
        if state.wake(fact) {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Up to `most` of those that have news or whose instant has come. They stay until they are
    /// [forgotten](Self::forget).
    pub(crate) fn take_due(&self, now_ms: i64, most: usize) -> Vec<Due> {
        let mut state = self.lock();
        let timers = state.timers.iter().take_while(|(until_ms, _)| *until_ms <= now_ms).map(|(_, name)| name);
        let is_away = |name: &&Arc<str>| state.runs.get(*name).is_some_and(|entry| entry.stage == Stage::Away);
        let due: BTreeSet<_> = timers.chain(&state.woken).filter(is_away).take(most).cloned().collect();
        due.into_iter().filter_map(|name| state.take(&name)).collect()
    }

    /// They could not be brought back now.
    pub(crate) fn put_back(&self, due: &[Due]) {
        for Due { workflow, owner, .. } in due {
            self.call_back(workflow, owner);
        }
    }

    /// It is to come back at once.
    pub(crate) fn call_back(&self, workflow: &str, owner: &str) {
        let mut state = self.lock();
        let Some((name, entry)) = state.entry(workflow, owner) else { return };
        entry.stage = Stage::Away;
        state.woken.insert(name);
        drop(state);
        self.changed.notify_one();
    }

    /// The next instant that somebody waits for.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.lock().timers.first().map(|(until_ms, _)| *until_ms)
    }

    /// Completes when somebody leaves or has news.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().runs.is_empty()
    }

    /// `(workflow, owner)` of each.
    pub(crate) fn runs(&self) -> Vec<(String, String)> {
        self.lock().runs.iter().map(|(name, entry)| (name.to_string(), entry.owner.to_string())).collect()
    }

    /// The instant at which `workflow` goes on in any case.
    pub(crate) fn until_ms(&self, workflow: &str) -> Option<i64> {
        self.lock().runs.get(workflow).and_then(|entry| entry.until_ms)
    }

    pub(crate) fn holds(&self, workflow: &str) -> bool {
        self.lock().runs.contains_key(workflow)
    }

    /// Whether anybody waits for anything but an instant.
    pub(crate) fn awaits_news(&self) -> bool {
        self.lock().awaiting_news > 0
    }

    /// The workflows that others wait for.
    pub(crate) fn watched(&self) -> Vec<String> {
        self.lock().watchers.keys().map(ToString::to_string).collect()
    }

    /// Notes that news may have been missed.
    pub(crate) fn miss(&self) {
        self.missed.notify_one();
    }

    /// Completes when news may have been missed.
    pub(crate) async fn missed(&self) {
        self.missed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    fn entry(&mut self, workflow: &str, owner: &str) -> Option<(Arc<str>, &mut Entry)> {
        let (name, _) = self.runs.get_key_value(workflow)?;
        let name = Arc::clone(name);
        let entry = self.runs.get_mut(workflow).filter(|entry| *entry.owner == *owner)?;
        Some((name, entry))
    }

    fn remove(&mut self, workflow: &str) {
        let Some((name, entry)) = self.runs.remove_entry(workflow) else { return };
        self.woken.remove(&name);
        self.awaiting_news -= usize::from(!entry.news.is_empty());
        for other in entry.news.iter().filter_map(other_workflow) {
            if let Some(watchers) = self.watchers.get_mut(other) {
                watchers.retain(|watcher| *watcher != name);
                if watchers.is_empty() {
                    self.watchers.remove(other);
                }
            }
        }
        if let Some(until_ms) = entry.until_ms {
            self.timers.remove(&(until_ms, name));
        }
    }

    /// Whether anybody waited for it.
    fn wake(&mut self, fact: &Fact) -> bool {
        let mut names: Vec<Arc<str>> = other_workflow(fact)
            .and_then(|other| self.watchers.get(other))
            .map(|watchers| watchers.iter().filter(|name| self.runs[*name].news.contains(fact)).cloned().collect())
            .unwrap_or_default();
        if let Fact::Message { workflow, .. } = fact
            && let Some((name, entry)) = self.runs.get_key_value(workflow.as_str())
            && entry.news.contains(fact)
        {
            names.push(Arc::clone(name));
        }
        let is_awaited = !names.is_empty();
        self.woken.extend(names);
        is_awaited
    }

    fn take(&mut self, name: &Arc<str>) -> Option<Due> {
        let entry = self.runs.get_mut(name)?;
        entry.stage = Stage::Returning;
        self.woken.remove(name);
        if let Some(until_ms) = entry.until_ms {
            self.timers.remove(&(until_ms, Arc::clone(name)));
        }
        Some(Due { workflow: name.to_string(), owner: entry.owner.to_string(), place: entry.place.clone() })
    }
}

/// The other workflow that a fact is about; a message is about the one that waits for it.
fn other_workflow(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Event { workflow, .. } | Fact::Stream { workflow, .. } | Fact::Ended { workflow } => Some(workflow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(workflow: &str) -> Fact {
        Fact::Message { workflow: workflow.to_owned(), topic: "t".to_owned() }
    }

    fn ended(workflow: &str) -> Fact {
        Fact::Ended { workflow: workflow.to_owned() }
    }

    fn wait(until_ms: Option<i64>, news: &[Fact]) -> Wait {
        Wait { until_ms, news: news.to_vec() }
    }

    fn due(parked: &Parked, now_ms: i64) -> Vec<String> {
        parked.take_due(now_ms, 10).into_iter().map(|due| due.workflow).collect()
    }

    #[test]
    fn each_goes_on_at_its_instant_or_with_its_news() {
        let parked = Parked::default();
        for (workflow, wait) in [
            ("asleep", wait(Some(20), &[])),
            ("later", wait(Some(30), &[])),
            ("receiver", wait(Some(90), &[message("receiver")])),
            ("parent", wait(None, &[ended("child")])),
        ] {
            parked.enter(workflow, "o", &wait);
            parked.leave(workflow, "o", Place::None);
        }
        assert_eq!((due(&parked, 10), parked.next_ms()), (vec![], Some(20)));

        parked.wake(&message("asleep"));
        assert_eq!(due(&parked, 20), ["asleep"]);
        parked.wake(&ended("child"));
        parked.wake(&message("receiver"));
        parked.wake(&message("nobody"));
        assert_eq!(due(&parked, 20), ["parent", "receiver"]);
        assert_eq!((due(&parked, 20), parked.next_ms()), (vec![], Some(30)));

        for workflow in ["asleep", "later", "receiver", "parent"] {
            parked.forget(workflow);
        }
        let state = parked.lock();
        assert!(
            state.runs.is_empty() && state.timers.is_empty() && state.watchers.is_empty() && state.woken.is_empty()
        );
    }

    #[test]
    fn news_that_comes_while_it_leaves_is_kept() {
        let parked = Parked::default();
        parked.enter("w", "o", &wait(None, &[message("w")]));
        parked.wake(&message("w"));
        assert_eq!(due(&parked, 0), [""; 0]);

        parked.leave("w", "o", Place::GivenUp("q".to_owned()));

        let place = Place::GivenUp("q".to_owned());
        assert_eq!(parked.take_due(0, 10), [Due { workflow: "w".to_owned(), owner: "o".to_owned(), place }]);
    }

    #[test]
    fn what_could_not_be_brought_back_is_due_again() {
        let parked = Parked::default();
        parked.enter("w", "o", &wait(Some(1), &[]));
        parked.leave("w", "o", Place::None);
        let taken = parked.take_due(1, 10);
        assert_eq!(due(&parked, 1), [""; 0]);

        parked.put_back(&taken);

        assert_eq!(due(&parked, 1), ["w"]);
    }

    #[test]
    fn another_run_of_the_same_workflow_is_left_alone() {
        let parked = Parked::default();
        parked.enter("w", "new", &wait(Some(1), &[]));
        parked.leave("w", "old", Place::None);
        parked.forget_run("w", "old");
        assert_eq!(parked.runs(), [("w".to_owned(), "new".to_owned())]);
        parked.forget_run("w", "new");
        assert!(parked.is_empty());
    }
}

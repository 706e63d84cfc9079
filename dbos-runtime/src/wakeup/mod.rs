//! Who waits for which fact. A wake-up is a hint to look again; looking is what decides.

mod fact;
mod parked;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub(crate) use fact::Fact;
pub(crate) use parked::{Due, Parked, Place, Wait};

/// The waiters of one process, by fact: those in memory, and those that left it. Clones share their waiters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakeups {
    bells: Arc<Mutex<HashMap<Fact, Bell>>>,
    parked: Arc<Parked>,
}

#[derive(Debug, Default)]
struct Bell {
    notify: Arc<Notify>,
    waiters: usize,
}

impl Wakeups {
    /// Registers a waiter. Subscribe first, look second, wait third: then nothing is missed.
    pub(crate) fn subscribe(&self, fact: Fact) -> Subscription {
        let mut bells = self.lock();
        let bell = bells.entry(fact.clone()).or_default();
        bell.waiters += 1;
        Subscription { notify: Arc::clone(&bell.notify), fact, wakeups: self.clone() }
    }

    /// Wakes everybody who waits for `fact`.
    pub(crate) fn wake(&self, fact: &Fact) {
        if let Some(bell) = self.lock().get(fact) {
            bell.notify.notify_waiters();
        }
        self.parked.wake(fact);
    }

    /// Those that left memory while they wait.
    pub(crate) fn parked(&self) -> &Parked {
        &self.parked
    }

    /// Wakes everybody: facts may have been missed while the database's channel was down.
    pub(crate) fn wake_all(&self) {
        self.lock().values().for_each(|bell| bell.notify.notify_waiters());
        self.parked.miss();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fact, Bell>> {
        self.bells.lock().expect("no panic while held")
    }
}

/// One waiter's registration; dropping it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Subscription {
    fact: Fact,
    notify: Arc<Notify>,
    wakeups: Wakeups,
}

impl Subscription {
    /// Completes at the next wake-up after this call, awaited or not.
    pub(crate) fn next(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut bells = self.wakeups.lock();
        if let Some(bell) = bells.get_mut(&self.fact) {
            bell.waiters -= 1;
            if bell.waiters == 0 {
                bells.remove(&self.fact);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact() -> Fact {
        Fact::Ended { workflow: "w".to_owned() }
    }

    #[tokio::test]
    async fn a_wake_up_between_subscribing_and_waiting_is_not_lost() {
        let wakeups = Wakeups::default();
        let subscription = wakeups.subscribe(fact());
        let next = subscription.next();

        wakeups.wake(&fact());

        next.await;
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let wakeups = Wakeups::default();
        let (one, two) = (wakeups.subscribe(fact()), wakeups.subscribe(fact()));
        drop(one);
        assert_eq!(wakeups.lock().len(), 1);
        drop(two);
        assert!(wakeups.lock().is_empty());
    }
}

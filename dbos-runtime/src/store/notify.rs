//! Tells other processes what happened, after it was committed.
//!
//! Inside the committing transaction a NOTIFY takes a lock shared by all committers of the server.
//! So news goes out afterwards and in batches: whatever gathers while one batch is under way is the
//! next. Losing it costs a poll interval and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::Store;
use super::backend::{Access, Dialect};
use super::sql::Statement;
use crate::wakeup::{Fact, Wakeups};

/// What news is about.
#[cfg_attr(not(feature = "postgres"), allow(dead_code))] // nobody else is told or tells
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Channel {
    Messages,
    Events,
    Streams,
    /// Workflows that ended.
    Workflows,
    /// Workflows that were put into a queue, or left room in it.
    Queues,
    /// Queues that were made or deleted.
    QueueList,
    /// Processes that have begun to listen.
    Listeners,
}

impl Channel {
    #[cfg(feature = "postgres")]
    pub(crate) const ALL: [Self; 7] =
        [Self::Messages, Self::Events, Self::Streams, Self::Workflows, Self::Queues, Self::QueueList, Self::Listeners];

    /// Its name among all who use the database. The first three are told by every DBOS library, whatever the schema of
    /// its tables, so who listens may be woken for another's news, and looks in vain.
    pub(crate) fn name(self, schema: &str) -> String {
        match self {
            Self::Messages => "dbos_notifications_channel".to_owned(),
            Self::Events => "dbos_workflow_events_channel".to_owned(),
            Self::Streams => "dbos_streams_channel".to_owned(),
            Self::Workflows => format!("{schema}_rust_workflows_channel"),
            Self::Queues => format!("{schema}_rust_queues_channel"),
            Self::QueueList => format!("{schema}_rust_queue_list_channel"),
            Self::Listeners => format!("{schema}_rust_listeners_channel"),
        }
    }

    /// Whether other DBOS libraries listen to it too, of whom nothing is known.
    fn is_shared(self) -> bool {
        matches!(self, Self::Messages | Self::Events | Self::Streams)
    }
}

/// Longest queue of untold news; beyond it, others find out by polling.
const BACKLOG: usize = 10_000;
const BATCH: usize = 500;

/// Whether another process listens to the database, as far as this one knows. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct Audience(Arc<AtomicBool>);

impl Audience {
    /// As long as nothing is known, somebody may.
    fn unknown() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    #[cfg_attr(not(feature = "postgres"), allow(dead_code))] // nobody listens elsewhere
    pub(crate) fn note(&self, others_listen: bool) {
        self.0.store(others_listen, Ordering::Relaxed);
    }

    /// What was known holds no longer.
    pub(crate) fn forget(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn may_listen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Spreads facts: at once within the process, by NOTIFY beyond it, unless nobody is known to listen there.
#[derive(Clone)]
pub(crate) struct Notifier {
    wakeups: Wakeups,
    audience: Audience,
    news: Option<Arc<mpsc::Sender<News>>>,
}

impl Notifier {
    /// Starts telling. The task ends when the last clone is gone.
    pub(crate) fn start(store: &Store, wakeups: Wakeups, listen: bool) -> Self {
        let audience = Audience::unknown();
        if store.dialect() == Dialect::Sqlite || !listen {
            return Self { wakeups, audience, news: None };
        }
        let (sender, receiver) = mpsc::channel(BACKLOG);
        tokio::spawn(tell(store.clone(), receiver));
        Self { wakeups, audience, news: Some(Arc::new(sender)) }
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn told(&self, fact: &Fact) {
        self.wakeups.wake(fact);
        if let (Some(sender), Some(news)) = (&self.news, news(fact))
            && (news.0.is_shared() || self.audience.may_listen())
        {
            sender.try_send(news).ok();
        }
    }
}

/// Channel and payload.
type News = (Channel, String);

fn news(fact: &Fact) -> Option<News> {
    match fact {
        // The first is the trigger's task; by the time the others are due, whoever lives has looked.
        Fact::Message { .. } | Fact::Delayed | Fact::Scheduled => None,
        Fact::Event { workflow, key } => Some((Channel::Events, format!("{workflow}::{key}"))),
        Fact::Stream { workflow, key } => Some((Channel::Streams, format!("{workflow}::{key}"))),
        Fact::Ended { workflow } => Some((Channel::Workflows, workflow.clone())),
        Fact::Enqueued { queue } => Some((Channel::Queues, queue.clone())),
        Fact::Queues => Some((Channel::QueueList, String::new())),
    }
}

/// Tells one fact at once, for a process too short-lived for a [`Notifier`].
pub(crate) async fn tell_now(store: &Store, fact: &Fact) {
    if store.dialect() == Dialect::Postgres {
        announce(store, news(fact).into_iter()).await;
    }
}

async fn tell(store: Store, mut receiver: mpsc::Receiver<News>) {
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        announce(&store, batch.drain(..)).await;
    }
}

async fn announce(store: &Store, news: impl Iterator<Item = News>) {
    let (channels, payloads) = news
        .map(|(channel, payload)| (Some(channel.name(&store.schema)), Some(payload)))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    let statement = Statement::new(
        "SELECT pg_notify(channel, payload)
           FROM unnest($1::text[], $2::text[]) AS news(channel, payload)",
    )
    .bind(channels)
    .bind(payloads);
    if let Err(error) = store.run(Access::Write, &statement).await {
        tracing::debug!(%error, "could not tell other processes; they will find out by polling");
    }
}

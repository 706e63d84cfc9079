//! What may happen that somebody waits for.

/// A fact somebody may wait for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Fact {
    /// A message for a workflow on a topic.
    Message { workflow: String, topic: String },
    /// A workflow set the event under a key.
    Event { workflow: String, key: String },
    /// A workflow wrote to the stream under a key, or closed it.
    Stream { workflow: String, key: String },
    /// A workflow ended.
    Ended { workflow: String },
    /// A workflow was put into a queue, or there may be room for one that waits in it.
    Enqueued { queue: String },
    /// A workflow was put where it waits for its delay to pass.
    Delayed,
    /// A queue was made or deleted.
    Queues,
    /// A schedule was made, or goes on.
    Scheduled,
}

//! Failpoints that are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Which side of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It has been asked for; the database knows nothing of it.
    Before,
    /// It is committed; nobody has been told.
    After,
}

#[derive(Debug)]
enum Plan {
    Nothing,
    Number,
    Record,
    StandStill { side: Side, number: u64 },
}

/// Numbers the durable writes of an engine in the order they begin, and stops it at one of them.
///
/// An engine that is stopped says so on the log and stands still there, to be killed from outside or
/// [abandoned](crate::Engine::abandon); what does not go by way of that write goes on. By default the
/// environment decides: `DBOS_FAILPOINT` is `before:7` or `after:7`, or `record` to log every write.
#[derive(Clone, Debug)]
pub struct Failpoints(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plan: Plan,
    writes: AtomicU64,
    stands_still: watch::Sender<bool>,
}

impl Failpoints {
    fn with(plan: Plan) -> Self {
        Self(Arc::new(Inner { plan, writes: AtomicU64::new(0), stands_still: watch::Sender::new(false) }))
    }

    /// Only counts.
    #[must_use]
    pub fn counting() -> Self {
        Self::with(Plan::Number)
    }

    /// Stops at this side of the write with this number, counted from 1.
    #[must_use]
    pub fn stopping(side: Side, number: u64) -> Self {
        Self::with(Plan::StandStill { side, number })
    }

    /// How many writes have begun so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.0.writes.load(Ordering::SeqCst)
    }

    /// Waits until the engine stands still.
    pub async fn stopped(&self) {
        let mut stands_still = self.0.stands_still.subscribe();
        stands_still.wait_for(|stands_still| *stands_still).await.expect("the sender lives in self");
    }

    /// Whether writes are numbered, so that one must not be announced in vain.
    pub(crate) fn are_armed(&self) -> bool {
        !matches!(self.0.plan, Plan::Nothing)
    }

    /// The write called `action` is about to happen.
    pub(crate) async fn begin(&self, action: &'static str) -> DurableWrite {
        let number = self.0.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let write = DurableWrite { failpoints: self.clone(), number, action };
        write.reach(Side::Before).await;
        write
    }
}

impl Default for Failpoints {
    fn default() -> Self {
        Self::with(match std::env::var("DBOS_FAILPOINT") {
            Ok(text) => parse(&text).expect("DBOS_FAILPOINT is `record`, `before:N` or `after:N`"),
            Err(_) => Plan::Nothing,
        })
    }
}

fn parse(text: &str) -> Option<Plan> {
    if text == "record" {
        return Some(Plan::Record);
    }
    let (side, number) = text.split_once(':')?;
    let side = match side {
        "before" => Side::Before,
        "after" => Side::After,
        _ => return None,
    };
    Some(Plan::StandStill { side, number: number.parse().ok()? })
}

/// One durable write under way.
#[derive(Debug)]
#[must_use]
pub(crate) struct DurableWrite {
    failpoints: Failpoints,
    number: u64,
    action: &'static str,
}

impl DurableWrite {
    /// It has happened, and nobody knows yet.
    pub(crate) async fn end(self) {
        self.reach(Side::After).await;
    }

    async fn reach(&self, side: Side) {
        let inner = &self.failpoints.0;
        let (is_said, stops) = match inner.plan {
            Plan::Nothing | Plan::Number => (false, false),
            Plan::Record => (true, false),
            Plan::StandStill { side: at, number } => {
                let reached = at == side && number == self.number;
                (reached, reached)
            }
        };
        if is_said {
            tracing::info!(target: "dbos::failpoint", "failpoint {side:?} {}: {}", self.number, self.action);
        }
        if stops {
            inner.stands_still.send_replace(true);
            std::future::pending().await
        }
    }
}

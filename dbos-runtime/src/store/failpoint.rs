//! Places where a test may end the process: before and after each durable write.
//!
//! With the feature `failpoints` and `DBOS_FAILPOINT=before:7` (or `after:7`) in its environment, a
//! process that is about to make its seventh durable write says so on standard error and stands
//! still, to be killed from outside. `DBOS_FAILPOINT=record` says each of them and goes on. Without
//! the feature none of this exists.

/// Whether this process numbers its writes.
pub(crate) fn is_armed() -> bool {
    #[cfg(feature = "failpoints")]
    {
        armed::is_armed()
    }
    #[cfg(not(feature = "failpoints"))]
    {
        false
    }
}

/// Which side of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Before,
    After,
}

/// One durable write, numbered in the order they begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DurableWrite {
    #[cfg(feature = "failpoints")]
    number: u64,
    #[cfg(feature = "failpoints")]
    action: &'static str,
}

impl DurableWrite {
    /// The write called `action` is about to happen.
    pub(crate) async fn begin(action: &'static str) -> Self {
        #[cfg(feature = "failpoints")]
        {
            let write = Self { number: armed::next(), action };
            armed::reach(Side::Before, write.number, action).await;
            write
        }
        #[cfg(not(feature = "failpoints"))]
        {
            let _ = (action, Side::Before);
            Self {}
        }
    }

    /// It has happened, and nobody knows yet.
    pub(crate) async fn end(self) {
        #[cfg(feature = "failpoints")]
        armed::reach(Side::After, self.number, self.action).await;
        #[cfg(not(feature = "failpoints"))]
        let _ = Side::After;
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Side;

    enum Plan {
        Nothing,
        Record,
        StandStill { side: Side, number: u64 },
    }

    pub(super) fn is_armed() -> bool {
        !matches!(plan(), Plan::Nothing)
    }

    pub(super) fn next() -> u64 {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        WRITES.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn plan() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(|| match std::env::var("DBOS_FAILPOINT") {
            Ok(text) => parse(&text).expect("DBOS_FAILPOINT is `record`, `before:N` or `after:N`"),
            Err(_) => Plan::Nothing,
        })
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

    pub(super) async fn reach(side: Side, number: u64, action: &str) {
        let stand_still = match plan() {
            Plan::Nothing => return,
            Plan::Record => false,
            Plan::StandStill { side: at, number: nth } => *at == side && *nth == number,
        };
        if stand_still || matches!(plan(), Plan::Record) {
            tracing::info!(target: "dbos::failpoint", "failpoint {side:?} {number}: {action}");
        }
        if stand_still {
            std::future::pending().await
        }
    }
}

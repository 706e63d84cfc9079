//! Which database errors are worth another try, and how long to wait before it.

use std::time::Duration;

use sqlx::error::DatabaseError;

const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Whether the same statement may succeed later: the database was busy, restarting or out of reach.
///
/// For the engine's own statements nearly everything passes but the statement itself being wrong,
/// because giving up loses a workflow's progress and waiting does not.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => is_transient_code(error.as_ref()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn is_transient_code(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    match code.parse::<u32>() {
        Ok(number) if code.len() != 5 => is_transient_sqlite(number),
        _ => is_transient_sqlstate(&code),
    }
}

fn is_transient_sqlstate(code: &str) -> bool {
    // Cardinality, data, constraint, syntax, unsupported feature, limit exceeded: the statement is at fault.
    !matches!(&code[..2.min(code.len())], "21" | "22" | "23" | "42" | "0A" | "54" | "3B" | "3D" | "3F" | "28")
}

fn is_transient_sqlite(extended_code: u32) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const OUT_OF_MEMORY: u32 = 7;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    const PROTOCOL: u32 = 15;
    matches!(extended_code & 0xff, BUSY | LOCKED | OUT_OF_MEMORY | IO_ERROR | FULL | CANNOT_OPEN | PROTOCOL)
}

/// Whether a user's transaction that failed with this error should simply run again.
pub(crate) fn is_worth_rerunning(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return is_transient(error) };
    let code = database.code().unwrap_or_default();
    match code.len() {
        // Serialization failure, deadlock, lock not available; connection and operator trouble.
        5 => {
            matches!(&*code, "40001" | "40P01" | "55P03" | "25P03" | "25006")
                || code.starts_with("08")
                || code.starts_with("57")
                || code.starts_with("53")
        }
        _ => is_transient(error),
    }
}

/// Whether a write was refused because the transaction, or the whole server for now, only reads.
pub(crate) fn is_refused_write(error: &sqlx::Error) -> bool {
    const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(READ_ONLY_SQL_TRANSACTION))
}

/// Waits that double, with up to a half of jitter so that competitors part.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST_WAIT }
    }

    /// The waits of somebody who has tried `attempts` times already.
    pub(crate) fn after(attempts: u32) -> Self {
        Self { next: (FIRST_WAIT * 2_u32.saturating_pow(attempts.clamp(1, 10) - 1)).min(LONGEST_WAIT) }
    }

    pub(crate) async fn wait(&mut self) {
        let jitter = self.next.mul_f64(random_fraction() / 2.0);
        crate::clock::pause(self.next / 2 + jitter).await;
        self.next = (self.next * 2).min(LONGEST_WAIT);
    }
}

/// A number in 0..1 from the hasher's random seed: enough to part competitors.
pub(crate) fn random_fraction() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
    let fraction = bits as f64 / 4_294_967_296.0;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_statement_is_not_tried_again_but_a_failing_database_is() {
        for code in ["21000", "22021", "23505", "42P01", "54000"] {
            assert!(!is_transient_sqlstate(code), "{code}");
        }
        for code in ["40001", "40P01", "57P01", "53300", "08006", "25P03", "XX000"] {
            assert!(is_transient_sqlstate(code), "{code}");
        }
        assert!(is_transient_sqlite(5) && is_transient_sqlite(261) && is_transient_sqlite(13));
        assert!(!is_transient_sqlite(19) && !is_transient_sqlite(11) && !is_transient_sqlite(1));
    }
}

//! Which database errors are worth another try, and how long to wait before it.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::error::DatabaseError;

use crate::random::random_fraction;

const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Whether the same statement may succeed later: the database was busy, restarting or out of reach.
///
/// For the engine's own statements nearly everything passes but the statement itself being wrong,
/// because giving up loses a workflow's progress and waiting does not.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        _ if is_taken_place(error) => true,
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
    const LOCKED: u32 = 6;
    const OUT_OF_MEMORY: u32 = 7;
    const PROTOCOL: u32 = 15;
    matches!(
        extended_code & 0xff,
        sqlite::BUSY
            | LOCKED
            | OUT_OF_MEMORY
            | sqlite::READ_ONLY
            | sqlite::IO_ERROR
            | sqlite::FULL
            | sqlite::CANNOT_OPEN
            | PROTOCOL
    )
}

/// Whether another writer has taken the place in a stream that this one was about to take. The next try takes the next.
fn is_taken_place(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.constraint() == Some("streams_pkey"))
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

/// Whether a write was refused because the transaction, or the whole database for now, only reads.
pub(crate) fn is_refused_write(error: &sqlx::Error) -> bool {
    is_sqlite(error, sqlite::READ_ONLY) || is_sqlstate(error, READ_ONLY_SQL_TRANSACTION)
}

/// Whether another transaction was in the way, which is everyday life and no trouble.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    ["40001", "40P01", "55P03"].iter().any(|sqlstate| is_sqlstate(error, sqlstate))
        || is_sqlite(error, sqlite::BUSY)
        || is_taken_place(error)
}

/// Whether the file of the database is damaged, or is no database.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    is_sqlite(error, sqlite::CORRUPT) || is_sqlite(error, sqlite::NOT_A_DATABASE)
}

/// Whether the file, or what SQLite keeps beside it, cannot be opened.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code))] // only a file says so
pub(crate) fn cannot_open(error: &sqlx::Error) -> bool {
    is_sqlite(error, sqlite::CANNOT_OPEN)
}

/// What is wrong with the database, for people who may see no more than that.
pub(crate) fn reason(error: &sqlx::Error) -> &'static str {
    match error {
        // As a connection that could not be opened is wrapped.
        sqlx::Error::Io(wrapped) => match wrapped.get_ref().and_then(|inner| inner.downcast_ref::<sqlx::Error>()) {
            Some(inner) => reason(inner),
            None => "the database does not answer",
        },
        _ if is_sqlite(error, sqlite::FULL) || is_sqlstate(error, DISK_FULL) => "the disk of the database is full",
        _ if is_sqlite(error, sqlite::IO_ERROR) || is_sqlstate(error, IO_ERROR) => {
            "the disk of the database does not work"
        }
        _ if is_refused_write(error) => "the database takes no writes: it is read-only",
        _ if is_damage(error) => "the file of the database is damaged",
        _ => "the database refuses what is asked of it; the log says why",
    }
}

const READ_ONLY_SQL_TRANSACTION: &str = "25006";
const DISK_FULL: &str = "53100";
const IO_ERROR: &str = "58030";

/// Primary result codes.
mod sqlite {
    pub(super) const BUSY: u32 = 5;
    pub(super) const READ_ONLY: u32 = 8;
    pub(super) const IO_ERROR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANNOT_OPEN: u32 = 14;
    pub(super) const NOT_A_DATABASE: u32 = 26;
}

fn is_sqlite(error: &sqlx::Error, primary_code: u32) -> bool {
    let extended_code = code(error).filter(|code| code.len() != 5).and_then(|code| code.parse::<u32>().ok());
    extended_code.is_some_and(|code| code & 0xff == primary_code)
}

fn is_sqlstate(error: &sqlx::Error, sqlstate: &str) -> bool {
    code(error).is_some_and(|code| code == sqlstate)
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_statement_is_not_tried_again_but_a_failing_database_is() {
        for code in ["21000", "22021", "23505", "42P01", "54000"] {
            assert!(!is_transient_sqlstate(code), "{code}");
        }
        for code in ["40001", "40P01", "57P01", "53100", "53300", "08006", "25P03", "25006", "XX000"] {
            assert!(is_transient_sqlstate(code), "{code}");
        }
        assert!(
            is_transient_sqlite(5) && is_transient_sqlite(261) && is_transient_sqlite(13) && is_transient_sqlite(8)
        );
        assert!(!is_transient_sqlite(19) && !is_transient_sqlite(11) && !is_transient_sqlite(1));
    }
}

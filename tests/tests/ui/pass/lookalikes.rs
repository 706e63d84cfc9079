//! Calls that look like the ones that are warned about, and the ways to silence a warning.
#![deny(warnings)]
#![allow(
    clippy::disallowed_methods,
    clippy::unused_async,
    clippy::unused_self,
    reason = "they only look like something else"
)]

use std::time::{Duration, SystemTime};

use dbos::{DBOS, Result, workflow};

/// A clock of one's own.
struct Clock;

impl Clock {
    fn now(&self) -> u8 {
        1
    }
}

struct Instant {
    now: u8,
}

mod time {
    pub(super) async fn sleep(_: u8) {}
}

fn spawn(_: u8) {}

fn sleep(_: u8) {}

fn random() -> u8 {
    4
}

#[workflow]
async fn lookalikes(env: Vec<String>) -> Result<u8> {
    use std::time::SystemTime as Stamp;

    let _ = Stamp::UNIX_EPOCH;
    let rand = Clock.now();
    let instant = Instant { now: rand };
    crate::pass::lookalikes::time::sleep(1).await;
    self::sleep(1);
    spawn(random());
    let text = "SystemTime::now() and tokio::spawn";
    let _ = (format!("{text} Uuid::new_v4()"), env.len(), env!("CARGO_PKG_NAME"), Duration::from_secs(1));
    // tokio::time::sleep(..) in a comment
    let ((), ()) = tokio::join!(std::future::ready(()), std::future::ready(()));
    Ok(instant.now)
}

#[workflow]
async fn durable() -> Result<u128> {
    DBOS::sleep(Duration::ZERO).await;
    let number = DBOS::random().await;
    let _ = (DBOS::now().await, number);
    dbos::select! {
        () = DBOS::sleep(Duration::ZERO) => {}
        () = DBOS::sleep(Duration::ZERO) => {}
    }
    Ok(DBOS::uuid().await.as_u128())
}

#[workflow(allow_nondeterminism)]
async fn silenced() -> Result<bool> {
    tokio::time::sleep(Duration::ZERO).await;
    Ok(SystemTime::now() > SystemTime::UNIX_EPOCH)
}

#[workflow]
#[allow(deprecated)]
async fn silenced_as_any_warning() -> Result<bool> {
    Ok(SystemTime::now() > SystemTime::UNIX_EPOCH)
}

#[tokio::test]
async fn silenced_calls_run() {
    assert_eq!(lookalikes(vec![]).plain().await.expect("a number"), 1);
    assert!(silenced().plain().await.expect("a time"));
    assert!(silenced_as_any_warning().plain().await.expect("a time"));
    drop(durable());
}

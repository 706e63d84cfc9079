//! Attempts of a step, and the error that is left when they are used up.

use std::sync::Mutex;

use anyhow::Context;
use dbos::{DBOS, Error, Result, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

behaviours! { retry:
    a_step_is_tried_until_it_succeeds,
    the_last_attempts_error_is_recorded,
    a_step_without_retries_is_tried_once,
    an_error_not_worth_retrying_ends_the_attempts,
    an_attempt_that_takes_too_long_fails_alone,
    a_recorded_error_is_not_retried_after_a_crash,
    a_crash_between_attempts_begins_again,
    attempts_share_a_key_and_have_numbers,
    every_kind_of_error_comes_back_after_a_crash,
    steps_borrow_and_are_generic_and_have_self,
    a_workflow_may_fail_with_any_error_that_says_it_was_stopped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum ShopError {
    #[error("only {left} left")]
    SoldOut { left: u32 },
    #[error("the bank is busy")]
    Busy,
    #[error("{0}")]
    Engine(String),
}

impl ShopError {
    fn is_temporary(&self) -> bool {
        *self != Self::SoldOut { left: 0 }
    }
}

impl From<Error> for ShopError {
    fn from(error: Error) -> Self {
        Self::Engine(error.to_string())
    }
}

#[step(retries = 3, interval = "1ms", backoff = 1.0, max_interval = "2ms", retry_if = ShopError::is_temporary)]
async fn retry_charge(name: String, succeeds_at: u32, error: ShopError) -> Result<u32, ShopError> {
    let attempt = ran(&name);
    if attempt == succeeds_at { Ok(attempt) } else { Err(error) }
}

#[workflow]
async fn retry_pays(name: String, succeeds_at: u32, error: ShopError) -> Result<u32, ShopError> {
    retry_charge(name, succeeds_at, error).await
}

async fn a_step_is_tried_until_it_succeeds(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("pays");

    let paid = app.run(async { retry_pays(name.clone(), 3, ShopError::Busy).await }).await;

    assert_eq!((paid, runs_of(&name)), (Ok(3), 3));
}

async fn the_last_attempts_error_is_recorded(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("pays");

    let refused = app.run(async { retry_pays(name.clone(), 9, ShopError::SoldOut { left: 2 }).await }).await;

    assert_eq!((refused, runs_of(&name)), (Err(ShopError::SoldOut { left: 2 }), 4));
    let error = database.value("SELECT error FROM dbos.operation_outputs").await.unwrap();
    assert!(error.contains(r#""message":"only 2 left""#) && error.contains(r#""name":"#), "{error}");
}

#[step]
async fn retry_never(name: &str) -> Result<(), ShopError> {
    ran(name);
    Err(ShopError::Busy)
}

#[workflow]
async fn retry_tries_once(name: String) -> Result<(), ShopError> {
    retry_never(&name).await
}

async fn a_step_without_retries_is_tried_once(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("once");

    let refused = app.run(async { retry_tries_once(name.clone()).await }).await;

    assert_eq!((refused, runs_of(&name)), (Err(ShopError::Busy), 1));
}

async fn an_error_not_worth_retrying_ends_the_attempts(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("pays");

    let refused = app.run(async { retry_pays(name.clone(), 9, ShopError::SoldOut { left: 0 }).await }).await;

    assert_eq!((refused, runs_of(&name)), (Err(ShopError::SoldOut { left: 0 }), 1));
}

#[step(retries = 1, interval = "1ms", timeout = "20ms")]
async fn retry_hangs(name: String, gate: String) -> Result<u32> {
    let attempt = ran(&name);
    pass(&gate).await;
    Ok(attempt)
}

#[workflow]
async fn retry_waits_for_hanging(name: String, gate: String) -> Result<u32> {
    retry_hangs(name, gate).await
}

async fn an_attempt_that_takes_too_long_fails_alone(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("hangs");

    let error = app.run(async { retry_waits_for_hanging(name.clone(), unique("closed")).await.unwrap_err() }).await;

    assert!(matches!(&error, Error::StepTimedOut { step, after_ms: 20 } if step == "retry_hangs"), "{error}");
    assert_eq!(runs_of(&name), 2);
}

#[step]
async fn retry_at_gate(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn retry_fails_and_waits(name: String, gate: String) -> Result<String> {
    let refused = retry_charge(name, 99, ShopError::SoldOut { left: 1 }).await;
    retry_at_gate(&gate).await;
    Ok(refused.unwrap_err().to_string())
}

async fn a_recorded_error_is_not_retried_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (name, gate) = (unique("pays"), unique("gate"));
    app.run(async {
        DBOS::start_workflow(retry_fails_and_waits(name.clone(), gate.clone())).workflow_id("f").await.unwrap()
    })
    .await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    assert_eq!(app.result::<Result<String>>("f").await.unwrap(), "only 1 left");
    assert_eq!(runs_of(&name), 4);
}

#[step(retries = 2, interval = "1ms")]
async fn retry_stops_at_second(name: String, gate: String) -> Result<u32> {
    let run = ran(&name);
    if run == 2 {
        pass(&gate).await;
    }
    if run < 5 { Err(Error::new("not yet")) } else { Ok(DBOS::attempt()) }
}

#[workflow]
async fn retry_crashes_at_second(name: String, gate: String) -> Result<u32> {
    retry_stops_at_second(name, gate).await
}

async fn a_crash_between_attempts_begins_again(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (name, gate) = (unique("pays"), unique("gate"));
    app.run(async {
        DBOS::start_workflow(retry_crashes_at_second(name.clone(), gate.clone())).workflow_id("c").await.unwrap()
    })
    .await;
    reached(&gate).await;

    app.crash_and_relaunch().await;

    // Runs 3, 4 and 5 are the three attempts after the crash.
    assert_eq!(app.result::<Result<u32>>("c").await.unwrap(), 3);
    assert_eq!(runs_of(&name), 5);
}

static SEEN: Mutex<Vec<(u32, Option<u32>, String)>> = Mutex::new(Vec::new());

#[step(retries = 2, interval = "1ms")]
async fn retry_looks_at_itself(id: String) -> Result<()> {
    assert_eq!(DBOS::workflow_id(), id);
    SEEN.lock().unwrap().push((DBOS::attempt(), DBOS::step_id(), DBOS::step_key()));
    Err(Error::new("again"))
}

#[workflow]
async fn retry_looks(id: String) -> Result<()> {
    assert_eq!((DBOS::attempt(), DBOS::step_id()), (1, None));
    DBOS::random().await;
    retry_looks_at_itself(id).await
}

async fn attempts_share_a_key_and_have_numbers(database: Database) {
    let app = App::launch(config(&database)).await;
    let id = unique("looks");

    app.run(async { retry_looks(id.clone()).workflow_id(&id).await.unwrap_err() }).await;

    let key = format!("{id}-2");
    let seen: Vec<_> = SEEN.lock().unwrap().iter().filter(|(.., seen)| *seen == key).cloned().collect();
    assert_eq!(seen, [1, 2, 3].map(|attempt| (attempt, Some(2), key.clone())));
}

#[step]
async fn retry_anyhow(name: &str) -> anyhow::Result<()> {
    ran(name);
    Err(ShopError::Busy).context("cannot charge")
}

#[step]
async fn retry_text(name: &str) -> Result<(), String> {
    ran(name);
    Err("plain words".to_owned())
}

#[step]
async fn retry_sqlx(name: &str) -> Result<(), sqlx::Error> {
    ran(name);
    Err(sqlx::Error::RowNotFound)
}

#[step]
async fn retry_boxed(name: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ran(name);
    Err("boxed words".into())
}

#[step]
async fn retry_own(name: &str) -> Result<()> {
    ran(name);
    Err(Error::named("Torn", "own words"))
}

#[step]
async fn retry_infallible(name: &str) -> u32 {
    ran(name)
}

#[workflow]
async fn retry_all_kinds(name: String, gate: String) -> Result<Vec<String>> {
    let mut said = vec![
        format!("{:#}", retry_anyhow(&name).await.unwrap_err()),
        retry_text(&name).await.unwrap_err(),
        retry_sqlx(&name).await.unwrap_err().to_string(),
        retry_boxed(&name).await.unwrap_err().to_string(),
        retry_never(&name).await.unwrap_err().to_string(),
        retry_own(&name).await.unwrap_err().to_string(),
    ];
    said.push(retry_infallible(&name).await.to_string());
    retry_report(&gate, &said).await;
    retry_at_gate(&gate).await;
    Ok(said)
}

static SAID: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());

#[step]
async fn retry_report(gate: &str, said: &[String]) {
    SAID.lock().unwrap().push((gate.to_owned(), said.to_vec()));
}

async fn every_kind_of_error_comes_back_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let (name, gate) = (unique("kinds"), unique("gate"));
    app.run(async {
        DBOS::start_workflow(retry_all_kinds(name.clone(), gate.clone())).workflow_id("k").await.unwrap()
    })
    .await;
    reached(&gate).await;
    let first: Vec<_> = SAID.lock().unwrap().iter().find(|(said_at, _)| *said_at == gate).unwrap().1.clone();

    app.crash_and_relaunch().await;
    open(&gate);

    let replayed = app.result::<Result<Vec<String>>>("k").await.unwrap();
    assert_eq!(replayed, first);
    assert_eq!(
        replayed[1..6],
        ["plain words", &sqlx::Error::RowNotFound.to_string(), "boxed words", "the bank is busy", "own words"]
    );
    assert!(replayed[0].starts_with("cannot charge"), "{replayed:?}");
    assert_eq!(runs_of(&name), 7);
}

struct Till {
    open: bool,
}

impl Till {
    #[step]
    async fn takes<T>(&self, coins: &[T], extra: T) -> Result<Vec<T>>
    where
        T: Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned,
    {
        if !self.open {
            return Err(Error::new("closed"));
        }
        Ok(coins.iter().cloned().chain([extra]).collect())
    }
}

#[workflow]
async fn retry_borrows() -> Result<(Vec<u8>, Vec<String>)> {
    let till = Till { open: true };
    let coins = [1, 2];
    let numbers = till.takes(&coins, 3);
    let words = till.takes(&["a".to_owned()], "b".to_owned()).await?;
    Ok((numbers.await?, words))
}

async fn steps_borrow_and_are_generic_and_have_self(database: Database) {
    let app = App::launch(config(&database)).await;

    let taken = app.run(async { retry_borrows().await.unwrap() }).await;

    assert_eq!(taken, (vec![1, 2, 3], vec!["a".to_owned(), "b".to_owned()]));
}

#[workflow]
async fn retry_text_workflow(gate: String) -> Result<(), String> {
    retry_at_gate(&gate).await;
    Ok(())
}

#[workflow]
async fn retry_anyhow_workflow() -> anyhow::Result<()> {
    anyhow::bail!("no luck")
}

async fn a_workflow_may_fail_with_any_error_that_says_it_was_stopped(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("gate");

    let (text, opaque) = app
        .run(async {
            let handle = DBOS::start_workflow(retry_text_workflow(gate.clone())).workflow_id("t").await.unwrap();
            DBOS::cancel_workflow("t").await.unwrap();
            (handle.result().await.unwrap_err(), retry_anyhow_workflow().await.unwrap_err())
        })
        .await;

    assert_eq!(text, "workflow `t` was cancelled");
    assert_eq!(opaque.to_string(), "no luck");
}

//! News travels without polling, and arrives by polling where it cannot travel.

use std::time::{Duration, Instant};

use dbos::{Config, DBOS, Event, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { wakeups:
    a_message_wakes_its_receiver,
    an_event_wakes_who_waits_for_it,
    an_end_wakes_who_waits_for_the_result,
    a_cancellation_wakes_who_waits_for_the_result,
    news_reaches_another_engine_at_once on postgres,
    news_from_transactions_reaches_another_engine_at_once on postgres,
    without_a_channel_news_is_found_by_polling,
    a_cut_channel_is_mended on postgres,
    while_the_channel_is_cut_news_is_found_by_polling on postgres,
    another_process_on_the_same_file_polls on sqlite,
}

const WORDS: Topic<String> = Topic::new("words");
const STATE: Event<String> = Event::new("state");
const HOUR: Duration = Duration::from_secs(3600);
/// Generous: the aim is 50 ms, and the machine may be busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(1);

#[step]
async fn wakeups_wait(gate: String) {
    pass(&gate).await;
}

#[workflow]
async fn wakeups_hears(gate: String) -> Result<Option<String>> {
    wakeups_wait(gate).await;
    DBOS::recv(WORDS, HOUR).await
}

#[workflow]
async fn wakeups_publishes(gate: String) -> Result<()> {
    wakeups_wait(gate.clone()).await;
    DBOS::set_event(STATE, "set").await?;
    wakeups_wait(format!("{gate}-end")).await;
    Ok(())
}

/// Looks until so many timers are recorded: then whoever has recorded them waits.
async fn until_timers_are(database: &Database, count: i64) {
    let timers = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
    while database.count(timers).await < count {
        tokio::task::yield_now().await;
    }
}

async fn a_message_wakes_its_receiver(database: Database) {
    let app = App::launch(config(&database)).await;
    message_within(&app, &app, &database).await;
}

/// How long a message from `sender` takes to a workflow that runs in `receiver`.
async fn message_within(receiver: &App, sender: &App, database: &Database) -> Duration {
    let gate = unique("hears");
    open(&gate);
    let handle =
        receiver.run(async { DBOS::start_workflow(wakeups_hears(gate)).workflow_id("hears").await.unwrap() }).await;
    until_timers_are(database, 1).await;

    let sent = Instant::now();
    sender.run(async { DBOS::send("hears", "word", WORDS).await.unwrap() }).await;

    assert_eq!(handle.result().await.unwrap().as_deref(), Some("word"));
    sent.elapsed()
}

async fn an_event_wakes_who_waits_for_it(database: Database) {
    let app = App::launch(config(&database)).await;
    event_within(&app, &app).await;
}

/// How long an event of a workflow in `publisher` takes to one who waits in `reader`.
async fn event_within(publisher: &App, reader: &App) -> Duration {
    let gate = unique("publishes");
    publisher
        .run(async { DBOS::start_workflow(wakeups_publishes(gate.clone())).workflow_id("publishes").await.unwrap() })
        .await;
    reached(&gate).await;
    let wait = reader.run(async { DBOS::get_event("publishes", STATE).timeout(HOUR).into_future() }).await;
    let wait = tokio::spawn(reader.engine.scope(wait));
    settle().await;

    let set = Instant::now();
    open(&gate);

    assert_eq!(wait.await.unwrap().unwrap().as_deref(), Some("set"));
    let took = set.elapsed();
    open(&format!("{gate}-end"));
    took
}

/// Lets what was spawned come to its wait. Should it be late, the test only measures less.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn an_end_wakes_who_waits_for_the_result(database: Database) {
    let app = App::launch(config(&database)).await;
    end_within(&app, &app).await;
}

/// How long the end of a workflow in `runner` takes to one who waits for it in `reader`.
async fn end_within(runner: &App, reader: &App) -> Duration {
    let gate = unique("ends");
    open(&gate);
    runner
        .run(async { DBOS::start_workflow(wakeups_publishes(gate.clone())).workflow_id("ends").await.unwrap() })
        .await;
    reached(&format!("{gate}-end")).await;
    let handle = reader.run(async { DBOS::retrieve_workflow::<Result<()>>("ends").unwrap() }).await;
    let wait = tokio::spawn(handle.result());
    settle().await;

    let ended = Instant::now();
    open(&format!("{gate}-end"));

    wait.await.unwrap().unwrap();
    ended.elapsed()
}

async fn a_cancellation_wakes_who_waits_for_the_result(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("cancelled");
    let handle =
        app.run(async { DBOS::start_workflow(wakeups_hears(gate.clone())).workflow_id("c").await.unwrap() }).await;
    reached(&gate).await;
    let wait = tokio::spawn(handle.result());
    settle().await;

    app.run(async { DBOS::cancel_workflow("c").await.unwrap() }).await;

    wait.await.unwrap().unwrap_err();
}

async fn news_reaches_another_engine_at_once(database: Database) {
    let (here, there) = (App::launch(config(&database)).await, App::launch(config(&database)).await);
    listening(&database, 2).await;

    let took = [
        ("message", message_within(&here, &there, &database).await),
        ("event", event_within(&here, &there).await),
        ("end", end_within(&here, &there).await),
    ];

    println!("to another engine: {took:?}");
    assert!(took.iter().all(|(_, took)| *took < AT_ONCE), "{took:?}");
}

/// Looks until so many connections listen: before that, news goes nowhere.
async fn listening(database: &Database, count: i64) {
    while database.count(&format!("SELECT count(*) FROM ({LISTENERS}) AS listeners")).await < count {
        tokio::task::yield_now().await;
    }
}

/// Connections that wait for news: with their latest statement they have looked who else does.
const LISTENERS: &str = "SELECT pid FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE '%pg_locks%' AND state = 'idle'";

#[dbos::transaction]
async fn wakeups_sends(tx: &mut dbos::Tx) -> Result<()> {
    let _: i64 = tx.query("SELECT count(*) FROM pg_class").fetch_scalar().await?;
    DBOS::set_event(STATE, "set").await?;
    DBOS::send("hears", "word", WORDS).await
}

#[workflow]
async fn wakeups_sends_from_transaction(gate: String) -> Result<()> {
    wakeups_wait(gate.clone()).await;
    wakeups_sends().await?;
    wakeups_wait(format!("{gate}-end")).await;
    Ok(())
}

async fn news_from_transactions_reaches_another_engine_at_once(database: Database) {
    let (here, there) = (App::launch(config(&database)).await, App::launch(config(&database)).await);
    listening(&database, 2).await;
    let (hears, sends) = (unique("hears"), unique("sends"));
    open(&hears);
    let handle =
        here.run(async { DBOS::start_workflow(wakeups_hears(hears)).workflow_id("hears").await.unwrap() }).await;
    until_timers_are(&database, 1).await;
    there
        .run(async {
            DBOS::start_workflow(wakeups_sends_from_transaction(sends.clone())).workflow_id("sends").await.unwrap()
        })
        .await;
    reached(&sends).await;
    let wait = here.run(async { DBOS::get_event("sends", STATE).timeout(HOUR).into_future() }).await;
    let wait = tokio::spawn(here.engine.scope(wait));
    settle().await;

    let sent = Instant::now();
    open(&sends);

    assert_eq!(handle.result().await.unwrap().as_deref(), Some("word"));
    assert_eq!(wait.await.unwrap().unwrap().as_deref(), Some("set"));
    let took = sent.elapsed();
    println!("from a transaction to another engine: {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
    open(&format!("{sends}-end"));
}

fn polling(database: &Database) -> Config {
    let mut settings = config(database);
    settings.poll_interval = Duration::from_millis(50);
    settings
}

async fn without_a_channel_news_is_found_by_polling(database: Database) {
    let mut settings = polling(&database);
    settings.listen = false;
    let here = App::launch(settings.clone()).await;
    let there = App::launch(settings).await;

    message_within(&here, &there, &database).await;
    event_within(&here, &there).await;
    end_within(&here, &there).await;
}

async fn a_cut_channel_is_mended(database: Database) {
    let (here, there) = (App::launch(config(&database)).await, App::launch(config(&database)).await);
    listening(&database, 2).await;

    let cut = database.query(&format!("SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS listeners")).await;

    assert_eq!(cut.len(), 2);
    // Nobody polls within ten minutes, so what is sent meanwhile is found when the channel is there again.
    message_within(&here, &there, &database).await;
    event_within(&here, &there).await;
    end_within(&here, &there).await;
}

async fn while_the_channel_is_cut_news_is_found_by_polling(database: Database) {
    let here = App::launch(polling(&database)).await;
    let there = App::launch(polling(&database)).await;
    listening(&database, 2).await;

    database.query(&format!("SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS listeners")).await;

    let took = message_within(&here, &there, &database).await;
    println!("with the channel cut: {took:?}");
}

async fn another_process_on_the_same_file_polls(database: Database) {
    let here = App::launch(polling(&database)).await;
    let there = App::launch(polling(&database)).await;

    message_within(&here, &there, &database).await;
    event_within(&here, &there).await;
    end_within(&here, &there).await;
}

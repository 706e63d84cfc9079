//! Messages: in order, taken once, whatever crashes in between.

use std::time::Duration;

use dbos::{Clock, DBOS, Error, Result, Topic, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, rewind, steps};

behaviours! { messages:
    messages_of_a_topic_come_in_the_order_they_were_sent,
    topics_are_apart,
    nobody_at_the_destination_is_an_error,
    nobody_at_the_destination_is_recorded_in_a_workflow,
    a_key_sends_once,
    one_key_to_two_receivers_is_two_messages,
    a_message_is_received_once_although_the_receiver_crashes,
    an_empty_message_is_not_a_timeout,
    a_timeout_gives_none_and_a_crash_does_not_extend_it,
    a_message_sent_before_the_timeout_is_recorded_counts,
    a_send_in_a_workflow_is_sent_once_although_it_crashes,
    a_send_in_a_transaction_commits_with_it,
    a_send_in_a_transaction_outside_a_workflow_commits_with_it,
    a_send_in_a_transaction_that_fails_is_not_sent,
    a_send_in_a_transaction_that_only_reads_is_refused,
    a_message_goes_to_forks_too_if_it_says_so,
    a_workflow_sends_to_forks_once_although_it_crashes,
    a_receive_outside_a_workflow_is_refused,
    an_unusable_topic_is_refused,
    many_sends_at_once_all_arrive,
}

const WORDS: Topic<String> = Topic::new("words");
const NUMBERS: Topic<i64> = Topic::new("numbers");
const PINGS: Topic<()> = Topic::new("pings");
const HOUR: Duration = Duration::from_secs(3600);

#[workflow]
async fn hears_words(n: usize) -> Result<Vec<Option<String>>> {
    let mut words = Vec::new();
    for _ in 0..n {
        words.push(DBOS::recv(WORDS, HOUR).await?);
    }
    Ok(words)
}

async fn messages_of_a_topic_come_in_the_order_they_were_sent(database: Database) {
    let app = App::launch(config(&database)).await;

    let words = app
        .run(async {
            let handle = DBOS::start_workflow(hears_words(20)).workflow_id("h").await.unwrap();
            for n in 0..20 {
                DBOS::send("h", n.to_string(), WORDS).await.unwrap();
            }
            handle.result().await.unwrap()
        })
        .await;

    assert_eq!(words, (0..20).map(|n| Some(n.to_string())).collect::<Vec<_>>());
}

#[workflow]
async fn hears_both() -> Result<(Option<i64>, Option<String>)> {
    let number = DBOS::recv(NUMBERS, HOUR).await?;
    Ok((number, DBOS::recv(WORDS, HOUR).await?))
}

async fn topics_are_apart(database: Database) {
    let app = App::launch(config(&database)).await;

    let heard = app
        .run(async {
            let handle = DBOS::start_workflow(hears_both()).workflow_id("h").await.unwrap();
            DBOS::send("h", "word", WORDS).await.unwrap();
            DBOS::send("h", 7, NUMBERS).await.unwrap();
            handle.result().await.unwrap()
        })
        .await;

    assert_eq!(heard, (Some(7), Some("word".to_owned())));
}

async fn nobody_at_the_destination_is_an_error(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::send("nobody", "word", WORDS).await.unwrap_err() }).await;

    assert!(matches!(&error, Error::NonExistentWorkflow { workflow } if workflow == "nobody"), "{error}");
}

#[workflow]
async fn tells_nobody() -> Result<String> {
    match DBOS::send("nobody", "word", WORDS).await {
        Ok(()) => Ok("sent".to_owned()),
        Err(error) => Ok(error.to_string()),
    }
}

async fn nobody_at_the_destination_is_recorded_in_a_workflow(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let first = app.run(async { tells_nobody().workflow_id("t").await.unwrap() }).await;
    assert_eq!(first, "no workflow has the id `nobody`");

    app.crash().await;
    rewind(&database, "t", "1 = 1").await;
    app.relaunch().await;
    app.run(async { tells_nobody().workflow_id("nobody").await.unwrap() }).await;

    assert_eq!(app.result::<Result<String>>("t").await.unwrap(), first);
    assert_eq!(steps(&database, "t").await, [(1, "DBOS.send".to_owned())]);
}

async fn a_key_sends_once(database: Database) {
    let app = App::launch(config(&database)).await;

    let words = app
        .run(async {
            let handle = DBOS::start_workflow(hears_words(2)).workflow_id("h").await.unwrap();
            for word in ["first", "again"] {
                DBOS::send("h", word, WORDS).idempotency_key("k").await.unwrap();
            }
            DBOS::send("h", "other", WORDS).await.unwrap();
            handle.result().await.unwrap()
        })
        .await;

    assert_eq!(words, [Some("first".to_owned()), Some("other".to_owned())]);
}

async fn one_key_to_two_receivers_is_two_messages(database: Database) {
    let app = App::launch(config(&database)).await;

    let words = app
        .run(async {
            let one = DBOS::start_workflow(hears_words(1)).workflow_id("one").await.unwrap();
            let two = DBOS::start_workflow(hears_words(1)).workflow_id("two").await.unwrap();
            for receiver in ["one", "two", "one"] {
                DBOS::send(receiver, format!("to {receiver}"), WORDS).idempotency_key("k").await.unwrap();
            }
            [one.result().await.unwrap(), two.result().await.unwrap()]
        })
        .await;

    assert_eq!(words, [[Some("to one".to_owned())], [Some("to two".to_owned())]]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 2);
}

#[step]
async fn messages_wait(gate: String) {
    pass(&gate).await;
}

#[workflow]
async fn hears_and_waits(gate: String) -> Result<Vec<Option<String>>> {
    let first = DBOS::recv(WORDS, HOUR).await?;
    messages_wait(gate).await;
    Ok(vec![first, DBOS::recv(WORDS, HOUR).await?])
}

async fn a_message_is_received_once_although_the_receiver_crashes(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("hears");
    app.run(async {
        DBOS::start_workflow(hears_and_waits(gate.clone())).workflow_id("h").await.unwrap();
        DBOS::send("h", "first", WORDS).await.unwrap();
        DBOS::send("h", "second", WORDS).await.unwrap();
    })
    .await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    let words = app.result::<Result<Vec<Option<String>>>>("h").await.unwrap();
    assert_eq!(words, [Some("first".to_owned()), Some("second".to_owned())]);
    let taken = "SELECT consumed_by_function_id FROM dbos.notifications ORDER BY consumed_by_function_id";
    let taken: Vec<_> = database.query(taken).await.into_iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(taken, ["1", "4"]);
}

#[workflow]
async fn hears_a_ping() -> Result<bool> {
    Ok(DBOS::recv(PINGS, HOUR).await?.is_some())
}

async fn an_empty_message_is_not_a_timeout(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let heard = app
        .run(async {
            let handle = DBOS::start_workflow(hears_a_ping()).workflow_id("h").await.unwrap();
            DBOS::send("h", (), PINGS).await.unwrap();
            handle.result().await.unwrap()
        })
        .await;
    assert!(heard);

    app.crash().await;
    rewind(&database, "h", "1 = 1").await;
    app.relaunch().await;

    assert!(app.result::<Result<bool>>("h").await.unwrap());
}

async fn a_timeout_gives_none_and_a_crash_does_not_extend_it(database: Database) {
    let clock = Clock::manual();
    let mut settings = config(&database);
    settings.clock = Some(clock.clone());
    let mut app = App::launch(settings).await;
    app.run(async { DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap() }).await;
    until_timers_are(&database, 1).await;
    clock.advance(HOUR / 2);

    app.crash_and_relaunch().await;
    clock.advance(HOUR / 2);

    let words = app.result::<Result<Vec<Option<String>>>>("h").await.unwrap();
    assert_eq!(words, [None]);
    app.crash().await;
    rewind(&database, "h", "1 = 1").await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<Vec<Option<String>>>>("h").await.unwrap(), [None]);
    assert_eq!(steps(&database, "h").await, [(1, "DBOS.recv".to_owned()), (2, "DBOS.sleep".to_owned())]);
}

/// Looks until so many timers are recorded: their row is the only sign of them.
async fn until_timers_are(database: &Database, count: i64) {
    let timers = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
    while database.count(timers).await < count {
        tokio::task::yield_now().await;
    }
}

async fn a_message_sent_before_the_timeout_is_recorded_counts(database: Database) {
    let clock = Clock::manual();
    let mut settings = config(&database);
    settings.clock = Some(clock.clone());
    let mut app = App::launch(settings).await;
    app.run(async { DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap() }).await;
    until_timers_are(&database, 1).await;
    app.crash().await;

    // It comes while nobody runs, and the deadline passes too.
    database
        .execute(
            "INSERT INTO dbos.notifications (message_uuid, destination_uuid, topic, message, created_at_epoch_ms, serialization)
             VALUES ('m', 'h', 'words', '\"late\"', 1, 'portable_json')",
        )
        .await;
    clock.advance(2 * HOUR);
    app.relaunch().await;

    assert_eq!(app.result::<Result<Vec<Option<String>>>>("h").await.unwrap(), [Some("late".to_owned())]);
}

#[workflow]
async fn tells_and_waits(gate: String) -> Result<()> {
    DBOS::send("h", "told", WORDS).await?;
    messages_wait(gate).await;
    Ok(())
}

async fn a_send_in_a_workflow_is_sent_once_although_it_crashes(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("tells");
    app.run(async {
        DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap();
        DBOS::start_workflow(tells_and_waits(gate.clone())).workflow_id("t").await.unwrap();
    })
    .await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    app.result::<Result<()>>("t").await.unwrap();
    app.result::<Result<Vec<Option<String>>>>("h").await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 1);
}

#[transaction]
async fn writes_and_tells(tx: &mut Tx, name: String, fails: bool) -> Result<()> {
    ran(&name);
    tx.query("INSERT INTO letters VALUES ($1)").bind("written").execute().await?;
    DBOS::send("h", "written", WORDS).await?;
    if fails { Err(Error::new("torn up")) } else { Ok(()) }
}

#[workflow]
async fn writes(name: String, fails: bool) -> Result<()> {
    writes_and_tells(name, fails).await
}

async fn a_send_in_a_transaction_commits_with_it(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE letters (text TEXT)").await;

    let words = app
        .run(async {
            let hears = DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap();
            until_timers_are(&database, 1).await;
            writes(unique("writes"), false).await.unwrap();
            hears.result().await.unwrap()
        })
        .await;

    assert_eq!(words, [Some("written".to_owned())]);
    assert_eq!(database.count("SELECT count(*) FROM letters").await, 1);
}

async fn a_send_in_a_transaction_outside_a_workflow_commits_with_it(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE letters (text TEXT)").await;

    let words = app
        .run(async {
            let hears = DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap();
            writes_and_tells(unique("writes"), false).await.unwrap();
            hears.result().await.unwrap()
        })
        .await;

    assert_eq!(words, [Some("written".to_owned())]);
    assert_eq!(database.count("SELECT count(*) FROM letters").await, 1);
}

async fn a_send_in_a_transaction_that_fails_is_not_sent(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE letters (text TEXT)").await;
    let name = unique("writes");

    app.run(async {
        DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap();
        writes(name.clone(), true).await.unwrap_err();
        writes_and_tells(name.clone(), true).await.unwrap_err();
    })
    .await;

    assert_eq!(runs_of(&name), 2);
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM letters").await, 0);
}

#[transaction(read_only)]
async fn reads_and_tells(tx: &mut Tx) -> Result<i64> {
    DBOS::send("h", "read", WORDS).await?;
    Ok(tx.query("SELECT count(*) FROM letters").fetch_scalar().await?)
}

#[workflow]
async fn reads() -> Result<i64> {
    reads_and_tells().await
}

async fn a_send_in_a_transaction_that_only_reads_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE letters (text TEXT)").await;

    let error = app
        .run(async {
            DBOS::start_workflow(hears_words(1)).workflow_id("h").await.unwrap();
            reads().await.unwrap_err()
        })
        .await;

    assert!(error.to_string().contains("read_only"), "{error}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 0);
}

async fn a_receive_outside_a_workflow_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::recv(WORDS, HOUR).await.unwrap_err() }).await;

    assert!(matches!(error, Error::OutsideWorkflow { .. }), "{error}");
}

async fn an_unusable_topic_is_refused(database: Database) {
    const EMPTY: Topic<String> = Topic::new("");
    let app = App::launch(config(&database)).await;

    let error = app.run(async { DBOS::send("h", "word", EMPTY).await.unwrap_err() }).await;

    assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
}

#[workflow]
async fn tells_many(n: usize) -> Result<()> {
    let sends = (0..n).map(|n| DBOS::send("h", n.to_string(), WORDS).into_future());
    futures_util::future::try_join_all(sends).await?;
    Ok(())
}

async fn many_sends_at_once_all_arrive(database: Database) {
    let app = App::launch(config(&database)).await;

    let words = app
        .run(async {
            let hears = DBOS::start_workflow(hears_words(50)).workflow_id("h").await.unwrap();
            tells_many(50).await.unwrap();
            hears.result().await.unwrap()
        })
        .await;

    assert_eq!(words, (0..50).map(|n| Some(n.to_string())).collect::<Vec<_>>());
}

/// A workflow that waits for `n` words, one that is forked from it, and one that is forked from that.
async fn hears_with_forks(app: &App, n: usize, ids: [&str; 3]) {
    app.run(async {
        DBOS::start_workflow(hears_words(n)).workflow_id(ids[0]).await.unwrap();
        DBOS::fork_workflow(ids[0], 1).workflow_id(ids[1]).await.unwrap();
        DBOS::fork_workflow(ids[1], 1).workflow_id(ids[2]).await.unwrap();
    })
    .await;
}

async fn heard(app: &App, id: &str) -> Vec<String> {
    app.result::<Result<Vec<Option<String>>>>(id).await.unwrap().into_iter().flatten().collect()
}

async fn a_message_goes_to_forks_too_if_it_says_so(database: Database) {
    let app = App::launch(config(&database)).await;
    hears_with_forks(&app, 2, ["h", "f", "g"]).await;
    hears_with_forks(&app, 3, ["x", "y", "z"]).await;

    app.run(async {
        for _ in 0..2 {
            DBOS::send("h", "to all", WORDS).to_forks().idempotency_key("k").await.unwrap();
        }
        DBOS::send("f", "to two", WORDS).to_forks().await.unwrap();
        DBOS::send("h", "to one", WORDS).await.unwrap();
        DBOS::send_bulk([("x", "1"), ("y", "2")], WORDS).to_forks().await.unwrap();
        DBOS::send_bulk([("x", "3"), ("x", "4"), ("z", "5")], WORDS).await.unwrap();
        DBOS::send_bulk([("y", "6")], WORDS).await.unwrap();
        let nobody = DBOS::send("nobody", "", WORDS).to_forks().await;
        assert!(matches!(nobody, Err(Error::NonExistentWorkflow { .. })), "{nobody:?}");
    })
    .await;

    assert_eq!(heard(&app, "h").await, ["to all", "to one"]);
    assert_eq!(heard(&app, "f").await, ["to all", "to two"]);
    assert_eq!(heard(&app, "g").await, ["to all", "to two"]);
    assert_eq!(heard(&app, "x").await, ["1", "3", "4"]);
    assert_eq!(heard(&app, "y").await, ["1", "2", "6"]);
    assert_eq!(heard(&app, "z").await, ["1", "2", "5"]);
    let keyed = "SELECT count(*) FROM dbos.notifications WHERE message_uuid IN ('k::h', 'k::f', 'k::g')";
    assert_eq!(database.count(keyed).await, 3);
}

#[transaction]
async fn tells_forks_with_it(_tx: &mut Tx) -> Result<()> {
    DBOS::send("h", "never", WORDS).to_forks().await
}

#[workflow]
async fn tells_forks(gate: String) -> Result<(bool, bool)> {
    DBOS::send("h", "once", WORDS).to_forks().await?;
    let nobody = DBOS::send("nobody", "", WORDS).to_forks().await;
    let refused = tells_forks_with_it().await;
    pass(&gate).await;
    DBOS::send("h", "last", WORDS).to_forks().await?;
    let is_nobody = matches!(nobody, Err(Error::NonExistentWorkflow { .. }));
    Ok((is_nobody, matches!(refused, Err(Error::InvalidKey { .. }))))
}

async fn a_workflow_sends_to_forks_once_although_it_crashes(database: Database) {
    let mut app = App::launch(config(&database)).await;
    hears_with_forks(&app, 2, ["h", "f", "g"]).await;
    let gate = unique("tells");
    app.run(async { DBOS::start_workflow(tells_forks(gate.clone())).workflow_id("m").await.unwrap() }).await;
    reached(&gate).await;

    app.crash_and_relaunch().await;
    open(&gate);

    assert_eq!(app.result::<Result<(bool, bool)>>("m").await.unwrap(), (true, true));
    for id in ["h", "f", "g"] {
        assert_eq!(heard(&app, id).await, ["once", "last"]);
    }
    let recorded = [(1, "DBOS.send"), (2, "DBOS.send"), (3, "tells_forks_with_it"), (4, "DBOS.send")];
    assert_eq!(steps(&database, "m").await, recorded.map(|(step, name)| (step, name.to_owned())));
}

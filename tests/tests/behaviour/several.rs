//! Waiting for several workflows, and sending to several.

use std::time::{Duration, Instant};

use dbos::{DBOS, Error, Event, Result, Topic, Tx, WorkflowHandle, step, transaction, workflow};
use dbos_testkit::board::{open, pass, reached_times, unique};
use dbos_testkit::{App, Backend, CrashTest, Database, Fault, Proxy, behaviours};
use serde_json::json;

use crate::app::{config, rewind, steps};

behaviours! { several:
    the_first_to_end_is_the_first_again_on_replay,
    the_first_of_those_that_have_ended_is_the_one_that_was_first,
    results_come_in_the_order_of_the_handles_and_replay,
    five_thousand_are_waited_for_with_a_few_statements within 300,
    none_and_nobody_are_refused,
    messages_sent_together_arrive_in_order_or_not_at_all,
    messages_of_a_workflow_are_sent_once_wherever_it_crashes within 120,
    messages_whose_commit_is_in_doubt_are_sent_once on postgres,
    messages_sent_together_in_a_transaction_commit_with_it,
    all_events_are_read_as_they_are_and_replay,
}

const WORDS: Topic<u32> = Topic::new("words");
const HOUR: Duration = Duration::from_secs(3600);

#[step]
async fn several_wait(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn waits_for(gate: String, number: u32) -> Result<u32> {
    several_wait(&gate).await;
    if number == 9 { Err(Error::new("nine")) } else { Ok(number) }
}

fn handles<R: Send + 'static>(ids: &[&str]) -> Vec<WorkflowHandle<R>> {
    ids.iter().map(|id| DBOS::retrieve_workflow(*id).unwrap()).collect()
}

#[workflow]
async fn judges(ids: Vec<String>) -> Result<(String, String, u32)> {
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let handles = handles::<Result<u32>>(&ids);
    let first = DBOS::wait_first(&handles).await?.workflow_id().to_owned();
    let (winner, result) = DBOS::race_all(&handles).await?;
    Ok((first, winner.workflow_id().to_owned(), result?))
}

async fn the_first_to_end_is_the_first_again_on_replay(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gates = [unique("slow"), unique("fast")];

    let judged = app
        .run(async {
            DBOS::start_workflow(waits_for(gates[0].clone(), 1)).workflow_id("slow").await.unwrap();
            DBOS::start_workflow(waits_for(gates[1].clone(), 2)).workflow_id("fast").await.unwrap();
            let judge = judges(vec!["slow".to_owned(), "fast".to_owned()]);
            let judge = DBOS::start_workflow(judge).workflow_id("judge").await.unwrap();
            open(&gates[1]);
            let judged = judge.result().await.unwrap();
            open(&gates[0]);
            handles::<Result<u32>>(&["slow"])[0].result().await.unwrap();
            judged
        })
        .await;
    assert_eq!(judged, ("fast".to_owned(), "fast".to_owned(), 2));
    let names = [(1, "DBOS.waitFirst".to_owned()), (2, "DBOS.raceAll".to_owned())];
    assert_eq!(steps(&database, "judge").await, names);

    app.crash().await;
    rewind(&database, "judge", "1 = 1").await;
    database.execute("UPDATE dbos.workflow_status SET completed_at = 1 WHERE workflow_uuid = 'slow'").await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<(String, String, u32)>>("judge").await.unwrap(), judged);
}

async fn the_first_of_those_that_have_ended_is_the_one_that_was_first(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("ended");
    open(&gate);

    app.run(async {
        for number in 1..=3 {
            waits_for(gate.clone(), number).workflow_id(number.to_string()).await.unwrap();
        }
        let order = "UPDATE dbos.workflow_status SET completed_at = 100 + (4 - CAST(workflow_uuid AS INTEGER)) % 3";
        database.execute(order).await;
        let first = DBOS::wait_first(&handles::<Result<u32>>(&["1", "2", "3"])).await.unwrap();
        assert_eq!(first.workflow_id(), "1");
    })
    .await;
}

#[workflow]
async fn collects_results(gate: String) -> Result<Vec<String>> {
    let mut children = Vec::new();
    for number in [3, 9, 1] {
        children.push(DBOS::start_workflow(waits_for(gate.clone(), number)).await?);
    }
    let results = DBOS::wait_all(&children).await;
    Ok(results.into_iter().map(|result| result.map_or_else(|error| error.to_string(), |n| n.to_string())).collect())
}

async fn results_come_in_the_order_of_the_handles_and_replay(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("collects_results");
    open(&gate);

    let collected = app.run(async { collects_results(gate).workflow_id("c").await.unwrap() }).await;
    assert_eq!(collected, ["3", "nine", "1"]);
    app.crash().await;
    rewind(&database, "c", "1 = 1").await;
    database.execute("DELETE FROM dbos.workflow_output").await;
    app.relaunch().await;

    assert_eq!(app.result::<Result<Vec<String>>>("c").await.unwrap(), collected);
}

/// Which are waited for from outside, while they end.
async fn five_thousand_are_waited_for_with_a_few_statements(database: Database) {
    const MANY: usize = 5_000;
    let proxy = match database.backend() {
        Backend::Postgres => Some(Proxy::before(database.url()).await),
        Backend::Sqlite => None,
    };
    let config = config(&database);
    let app = match &proxy {
        Some(proxy) => App::launch(config.database_url(proxy.url())).await,
        None => App::launch(config).await,
    };
    let (gate, first) = (unique("many"), unique("first"));

    app.run(async {
        let starts = (0..MANY).map(|number| {
            let gate = if number == 77 { &first } else { &gate };
            DBOS::start_workflow(waits_for(gate.clone(), 1)).workflow_id(format!("m-{number}")).into_future()
        });
        let handles = futures_util::future::try_join_all(starts).await.unwrap();
        reached_times(&gate, u32::try_from(MANY).unwrap() - 1).await;

        let race = tokio::spawn(app.engine.scope(DBOS::race_all(&handles)));
        open(&first);
        let (winner, result) = race.await.unwrap().unwrap();
        assert_eq!((winner.workflow_id(), result.unwrap()), ("m-77", 1));

        let looked = proxy.as_ref().map(|proxy| proxy.count("json_array_elements_text($1::json) AS asked"));
        let started = Instant::now();
        let all = tokio::spawn(app.engine.scope(DBOS::wait_all(&handles)));
        open(&gate);
        let results = all.await.unwrap();
        assert_eq!(results.into_iter().flatten().count(), MANY);
        if let (Some(proxy), Some(looked)) = (&proxy, looked) {
            let looks = proxy.count("json_array_elements_text($1::json) AS asked") - looked;
            println!("{looks} looks at {MANY} workflows in {:?}", started.elapsed());
            assert!(looked <= 4 && looks <= 200, "{looked} looks for the race, {looks} for all");
        }
    })
    .await;
}

async fn none_and_nobody_are_refused(database: Database) {
    let app = App::launch(config(&database)).await;
    app.run(async {
        let none = DBOS::wait_first::<Result<u32>>(&[]).await;
        assert!(matches!(none, Err(Error::InvalidKey { .. })), "{none:?}");
        assert!(DBOS::wait_all::<Result<u32>>(&[]).await.is_empty());
        let nobody = DBOS::race_all(&handles::<Result<u32>>(&["nobody"])).await;
        assert!(matches!(nobody, Err(Error::NonExistentWorkflow { .. })), "{nobody:?}");
        let nobody = DBOS::wait_all(&handles::<Result<u32>>(&["nobody"])).await;
        assert!(matches!(nobody[..], [Err(Error::NonExistentWorkflow { .. })]), "{nobody:?}");
        let nobody = DBOS::get_all_events("nobody").await;
        assert!(matches!(nobody, Err(Error::NonExistentWorkflow { .. })), "{nobody:?}");
    })
    .await;
}

#[workflow]
async fn several_hears(words: u32) -> Result<Vec<u32>> {
    let mut heard = Vec::new();
    while heard.len() < words as usize {
        heard.extend(DBOS::recv(WORDS, HOUR).await?);
    }
    Ok(heard)
}

async fn messages_sent_together_arrive_in_order_or_not_at_all(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let one = DBOS::start_workflow(several_hears(100)).workflow_id("one").await.unwrap();
        let two = DBOS::start_workflow(several_hears(1)).workflow_id("two").await.unwrap();
        let lost = DBOS::send_bulk([("one", 7_u32), ("nobody", 7), ("two", 7)], WORDS).await;
        assert!(matches!(&lost, Err(Error::NonExistentWorkflow { workflow }) if workflow == "nobody"), "{lost:?}");
        assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 0);

        let all: Vec<_> = (0..100).map(|word| ("one", word)).chain([("two", 5_u32)]).collect();
        for _ in 0..2 {
            DBOS::send_bulk(all.clone(), WORDS).idempotency_key("k").await.unwrap();
        }

        assert_eq!(one.result().await.unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!(two.result().await.unwrap(), [5]);
        assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 101);
        DBOS::send_bulk(Vec::<(String, u32)>::new(), WORDS).await.unwrap();
    })
    .await;
}

#[workflow]
async fn tells_everybody(to: Vec<String>) -> Result<bool> {
    DBOS::send_bulk(to.iter().map(|to| (to.as_str(), 1_u32)), WORDS).await?;
    let nobody = DBOS::send_bulk([(to[0].clone(), 2_u32), ("nobody".to_owned(), 2)], WORDS).await;
    Ok(matches!(nobody, Err(Error::NonExistentWorkflow { .. })))
}

async fn messages_of_a_workflow_are_sent_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| {
                DBOS::start_workflow(several_hears(1)).workflow_id("a").await?;
                DBOS::start_workflow(several_hears(1)).workflow_id("b").await?;
                tells_everybody(vec!["a".to_owned(), "b".to_owned()]).workflow_id("t").await
            },
            async |database, told| {
                assert!(told.unwrap());
                assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 2);
                let recorded = [(1, "DBOS.sendBulk".to_owned()), (2, "DBOS.sendBulk".to_owned())];
                assert_eq!(steps(database, "t").await, recorded);
            },
        );
        assert!(crashes.writes >= 10, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

/// Whether it is the commit that is lost, or only its answer.
async fn messages_whose_commit_is_in_doubt_are_sent_once(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(&database).database_url(proxy.url())).await;

    for (number, fault) in [Fault::at("COMMIT"), Fault::at("COMMIT").losing_the_reply()].into_iter().enumerate() {
        let ids = ["a", "b", "t"].map(|name| format!("{name}-{number}"));
        app.run(async {
            for id in &ids[..2] {
                DBOS::start_workflow(several_hears(1)).workflow_id(id).await.unwrap();
            }
            proxy.arm(fault.clone());
            assert!(tells_everybody(ids[..2].to_vec()).workflow_id(&ids[2]).await.unwrap(), "{fault:?}");
        })
        .await;
        proxy.struck(number + 1).await;
        let sent = database.count("SELECT count(*) FROM dbos.notifications").await;
        assert_eq!(usize::try_from(sent).unwrap(), 2 * (number + 1), "{fault:?}");
    }
}

#[transaction]
async fn several_in_transaction(_tx: &mut Tx, fail: bool) -> Result<()> {
    DBOS::send_bulk([("one", 1_u32), ("two", 2)], WORDS).await?;
    if fail { Err(Error::new("no")) } else { Ok(()) }
}

#[workflow]
async fn sends_in_transactions() -> Result<()> {
    several_in_transaction(true).await.ok();
    several_in_transaction(false).await
}

async fn messages_sent_together_in_a_transaction_commit_with_it(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let one = DBOS::start_workflow(several_hears(1)).workflow_id("one").await.unwrap();
        let two = DBOS::start_workflow(several_hears(1)).workflow_id("two").await.unwrap();
        sends_in_transactions().await.unwrap();
        assert_eq!((one.result().await.unwrap(), two.result().await.unwrap()), (vec![1], vec![2]));
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 2);
}

#[workflow]
async fn publishes_two(number: u32) -> Result<()> {
    DBOS::set_event(Event::<u32>::new("number"), number).await?;
    DBOS::set_event(Event::<String>::new("text"), "a").await?;
    DBOS::set_event(Event::<String>::new("text"), "b").await
}

#[workflow]
async fn looks_at_all(id: String) -> Result<String> {
    Ok(serde_json::to_string(&DBOS::get_all_events(id).await?).expect("JSON"))
}

async fn all_events_are_read_as_they_are_and_replay(database: Database) {
    let mut app = App::launch(config(&database)).await;

    let (events, seen) = app
        .run(async {
            publishes_two(7).workflow_id("p").await.unwrap();
            let events = DBOS::get_all_events("p").await.unwrap();
            (events, looks_at_all("p".to_owned()).workflow_id("l").await.unwrap())
        })
        .await;
    app.crash().await;
    rewind(&database, "l", "1 = 1").await;
    database.execute("DELETE FROM dbos.workflow_events").await;
    app.relaunch().await;

    assert_eq!(json!(events), json!({ "number": 7, "text": "b" }));
    assert_eq!(app.result::<Result<String>>("l").await.unwrap(), seen);
}

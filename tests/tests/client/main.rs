//! A process that runs nothing, and the programs that run what it asks for.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;
use std::time::Duration;

use dbos::{
    Client, Config, DBOS, Deduplication, Error, Event, Queue, ReportedOutcome, Result, Schedule, Status, StreamKey,
    Tick, Topic, Tx, WorkflowFilter, transaction, workflow,
};
use dbos_testkit::{App, Backend, Database, Process, Program, behaviours};
use futures_util::TryStreamExt;
use serde_json::json;

behaviours! { client:
    a_client_enqueues_talks_and_reads_while_another_process_works,
    what_a_client_put_into_a_queue_waits_for_a_worker,
    a_client_lists_and_manages_without_any_worker,
    a_client_makes_a_schedule_for_who_has_its_workflow,
    a_workflow_enqueues_for_another_application_once_although_it_crashes,
    what_nobody_would_run_is_refused,
    a_client_makes_no_tables,
}

fn main() -> ExitCode {
    dbos_testkit::main(&[CASES])
}

const STAGE: Event<String> = Event::new("stage");
const LABEL: Topic<String> = Topic::new("label");
const NEWS: StreamKey<String> = StreamKey::new("news");

/// As a client knows it, whose program shares the function with the worker's. Its code here is another, and never runs.
static PARCELS: Queue = Queue::new("parcels");

#[workflow]
async fn ship(order: u64, to: String) -> Result<String> {
    Err(Error::new(format!("order {order} to {to} was to be shipped elsewhere")))
}

/// The same.
#[workflow]
async fn count_parcels(tick: Tick<String>) -> Result<String> {
    Err(Error::new(format!("{} parcels were to be counted elsewhere", tick.context)))
}

async fn depot(database: &Database) -> Process {
    let process = Program::new(env!("CARGO_BIN_EXE_depot")).env("DATABASE", database.url()).start();
    process.wait_for_line("ready").await;
    process
}

/// Where news can reach it, this is not by polling.
async fn client(database: &Database) -> Client {
    let mut config = Config::new("client").database_url(database.url());
    config.poll_interval = match database.backend() {
        Backend::Postgres => Duration::from_mins(10),
        Backend::Sqlite => Duration::from_millis(20),
    };
    Client::open(config).await.unwrap()
}

async fn a_client_enqueues_talks_and_reads_while_another_process_works(database: Database) {
    let mut depot_process = depot(&database).await;
    let client = client(&database).await;

    let by_name =
        client.enqueue("ship", "parcels", json!({ "order": 7, "to": "ann" })).workflow_id("s-7").await.unwrap();
    let typed = client.run(ship(8, "bob".to_owned()).enqueue(&PARCELS).workflow_id("s-8")).await.unwrap();
    let too_large = client.enqueue("ship", "parcels", json!([2000, "eve"])).await.unwrap();
    assert_eq!(client.run(DBOS::get_event("s-7", STAGE)).await.unwrap().as_deref(), Some("packed"));
    let mut news = client.read_stream("s-7", NEWS);
    assert_eq!(news.next().await.unwrap().unwrap(), "order 7 is packed");

    // The worker dies while the workflow waits; its successor goes on.
    depot_process.kill().await;
    depot_process = depot(&database).await;
    for id in ["s-7", "s-8"] {
        client.run(DBOS::send(id, "by train", LABEL).idempotency_key("once")).await.unwrap();
    }

    assert_eq!(by_name.result().await.unwrap(), json!("7 to ann, by train"));
    assert_eq!(typed.result().await.unwrap(), "8 to bob, by train");
    assert_eq!(news.try_collect::<Vec<_>>().await.unwrap(), ["order 7 is on its way"]);
    let refused = too_large.result().await.unwrap_err();
    assert!(refused.to_string().contains("nobody can carry that"), "{refused}");
    assert_eq!(client.workflow("s-7").result().await.unwrap(), json!("7 to ann, by train"));
    let events = client.run(DBOS::get_all_events("s-8")).await.unwrap();
    assert_eq!(json!(events), json!({ "stage": "packed" }));
    let executors = "SELECT count(*) FROM dbos_rust.executors";
    assert_eq!(database.count(executors).await, 1, "a client is no executor");
    drop(depot_process);
}

/// With the options of any workflow that is enqueued.
async fn what_a_client_put_into_a_queue_waits_for_a_worker(database: Database) {
    depot(&database).await.kill().await;
    let client = client(&database).await;
    let enqueue = |order: u64| client.enqueue("ship", "parcels", json!({ "order": order, "to": "ann" }));

    let last = enqueue(3000).priority(2).workflow_id("last").await.unwrap();
    let first = enqueue(3001).priority(1).workflow_id("first").deduplication_id("d").await.unwrap();
    let again = enqueue(3001).workflow_id("first").await.unwrap();
    assert_eq!(again.workflow_id(), "first");
    let duplicate = enqueue(3002).deduplication_id("d").await;
    assert!(matches!(&duplicate, Err(Error::Deduplicated { workflow, .. }) if workflow == "first"), "{duplicate:?}");
    let attached = enqueue(3002).deduplication_id("d").deduplication(Deduplication::ReturnExisting).await.unwrap();
    assert_eq!(attached.workflow_id(), "first");
    enqueue(3003).delay(Duration::from_secs(3600)).workflow_id("later").await.unwrap();

    let _depot = depot(&database).await;
    for handle in [&first, &last] {
        handle.result().await.unwrap_err();
    }
    let order = "SELECT workflow_uuid FROM dbos.workflow_status WHERE status = 'ERROR' ORDER BY started_at_epoch_ms";
    let order: Vec<_> = database.query(order).await.into_iter().flatten().flatten().collect();
    assert_eq!(order, ["first", "last"]);
    let later = client.workflow("later").status().await.unwrap().unwrap();
    assert_eq!((later.status, later.application_name.as_deref()), (Some(Status::Delayed), Some("depot")));
}

async fn a_client_lists_and_manages_without_any_worker(database: Database) {
    depot(&database).await.kill().await;
    let client = client(&database).await;
    let waiting = client.enqueue("ship", "parcels", json!({ "order": 1, "to": "ann" })).workflow_id("w").await.unwrap();

    let listed = client.run(DBOS::list_workflows(WorkflowFilter::new().status(Status::Enqueued))).await.unwrap();
    assert_eq!(listed.iter().map(|of| of.workflow_id.as_str()).collect::<Vec<_>>(), ["w"]);
    let cancelled = client.run(DBOS::cancel_workflows(["w", "nobody"])).await.unwrap();
    let outcomes: Vec<_> = cancelled.iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes, [ReportedOutcome::Cancelled, ReportedOutcome::Failed]);
    assert!(matches!(waiting.result().await, Err(Error::Cancelled { .. })));
    client.run(DBOS::resume_workflow("w")).await.unwrap();
    client.run(DBOS::send("w", "by ship", LABEL)).await.unwrap();

    let _depot = depot(&database).await;
    assert_eq!(waiting.result().await.unwrap(), json!("1 to ann, by ship"));
    let steps = client.run(DBOS::list_steps("w")).await.unwrap();
    assert_eq!(steps[0].name, "DBOS.writeStream");
    client.close().await;
}

async fn a_client_makes_a_schedule_for_who_has_its_workflow(database: Database) {
    let _depot = depot(&database).await;
    let client = client(&database).await;

    let stocktaking = Schedule::new("stocktaking", "0 0 1 1 *", count_parcels, "all".to_owned());
    client.run(DBOS::create_schedule(stocktaking)).await.unwrap();
    let id = client.run(DBOS::trigger_schedule("stocktaking")).await.unwrap();

    let schedule = client.run(DBOS::get_schedule("stocktaking")).await.unwrap().unwrap();
    assert_eq!(schedule.application_name.as_deref(), Some("depot"));
    assert_eq!(client.workflow(id).result().await.unwrap(), json!("all are counted"));
}

#[transaction]
async fn enqueues_with_it(_tx: &mut Tx) -> Result<()> {
    DBOS::enqueue("ship", "parcels", json!([])).await.map(drop)
}

/// What its parcels became, and why what nobody would run was refused.
#[workflow]
async fn sells(order: u64) -> Result<(Vec<String>, Vec<String>)> {
    let parcel = DBOS::enqueue("ship", "parcels", json!({ "order": order, "to": "ann" })).priority(1).await?;
    let too_large = (3000..3002).map(|order| DBOS::enqueue("ship", "parcels", json!([order, "eve"])));
    let too_large = DBOS::enqueue_all(too_large).await?;
    let refused = [
        DBOS::enqueue("ship", "parcel", json!([])).await.unwrap_err(),
        DBOS::enqueue_all([DBOS::enqueue("shp", "parcels", json!([]))]).await.unwrap_err(),
        enqueues_with_it().await.unwrap_err(),
    ];
    DBOS::send(parcel.workflow_id(), "by train", LABEL).await?;
    let mut shipped = vec![parcel.result().await?.to_string()];
    for parcel in too_large {
        shipped.push(parcel.result().await.unwrap_err().to_string());
    }
    Ok((shipped, refused.iter().map(Error::to_string).collect()))
}

async fn a_workflow_enqueues_for_another_application_once_although_it_crashes(database: Database) {
    depot(&database).await.kill().await;
    let mut config = Config::new("office").database_url(database.url());
    config.poll_interval = Duration::from_millis(20);
    let mut office = App::launch(config).await;
    office.run(async { DBOS::start_workflow(sells(7)).workflow_id("o").await.unwrap() }).await;
    database.until_count("SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.send'", 1).await;

    office.crash_and_relaunch().await;
    let _depot = depot(&database).await;

    let (shipped, refused) = office.result::<Result<(Vec<String>, Vec<String>)>>("o").await.unwrap();
    assert_eq!(shipped[0], r#""7 to ann, by train""#);
    assert!(shipped[1..].iter().all(|error| error.contains("nobody can carry that")), "{shipped:?}");
    for (refused, reason) in refused.iter().zip([
        "nobody serves the queue `parcel`",
        "no version of the application `depot`",
        "`DBOS::enqueue` in a transaction is refused",
    ]) {
        assert!(refused.contains(reason), "{refused}");
    }
    let children = "SELECT workflow_uuid, application_name FROM dbos.workflow_status
                     WHERE parent_workflow_id = 'o' ORDER BY workflow_uuid";
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(database.query(children).await, ["o-1", "o-2", "o-3"].map(|child| vec![text(child), text("depot")]));
    let others =
        "SELECT count(*) FROM dbos.operation_outputs WHERE workflow_uuid = 'o' AND application_name <> 'office'";
    assert_eq!(database.count(others).await, 0);
    let outside = office.run(async {
        let parcel =
            DBOS::enqueue("ship", &PARCELS, json!({ "order": 3000, "to": "ann" })).workflow_id("p").await.unwrap();
        parcel.result().await
    });
    assert!(outside.await.unwrap_err().to_string().contains("nobody can carry that"));
}

async fn what_nobody_would_run_is_refused(database: Database) {
    depot(&database).await.kill().await;
    let client = client(&database).await;

    let arguments = json!({ "order": 1, "to": "ann" });
    for refused in
        [client.enqueue("ship", "parcel", arguments.clone()).await, client.enqueue("shp", "parcels", arguments).await]
    {
        assert!(matches!(refused, Err(Error::Configuration(_))), "{refused:?}");
    }
    let at_once = client.run(DBOS::start_workflow(ship(1, "ann".to_owned()))).await;
    assert!(matches!(at_once, Err(Error::Configuration(_))), "{at_once:?}");
    let no_arguments = client.enqueue("ship", "parcels", json!(1)).await;
    assert!(matches!(no_arguments, Err(Error::Unstorable { .. })), "{no_arguments:?}");
    let nobody = client.workflow("nobody").result().await;
    assert!(matches!(nobody, Err(Error::NonExistentWorkflow { .. })), "{nobody:?}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

async fn a_client_makes_no_tables(database: Database) {
    let refused = Client::connect(database.url()).await;

    assert!(refused.is_err());
    assert!(database.try_query("SELECT * FROM dbos.workflow_status").await.is_err());
}

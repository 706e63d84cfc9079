//! Applications of other languages, beside one in Rust: each enqueues, awaits, sends and listens, and starts the other's
//! workflows as children of its own.

use std::time::Duration;

use dbos::{Client, Config, DBOS, Error, Event, Result, StreamKey, Topic};
use dbos_testkit::{Database, Process, behaviours};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::installed::{VALUES, application, neighbour};

behaviours! { apps:
    a_client_in_rust_works_with_an_application_in_python on postgres within 180,
    a_client_in_rust_works_with_an_application_in_typescript on postgres within 180,
    a_client_in_rust_manages_an_application_in_python on postgres within 180,
    a_client_in_rust_manages_an_application_in_typescript on postgres within 180,
    news_of_an_application_in_python_wakes_a_client_in_rust on postgres within 180,
    news_of_an_application_in_typescript_wakes_a_client_in_rust on postgres within 180,
    workflows_in_python_and_rust_are_each_others_children on postgres within 180,
    workflows_in_typescript_and_rust_are_each_others_children on postgres within 180,
    each_value_is_equal_between_rust_and_an_application_in_python on postgres within 180,
    each_value_is_equal_between_rust_and_an_application_in_typescript on postgres within 180,
}

const STAGE: Event<Value> = Event::new("stage");
const NEWS: StreamKey<Value> = StreamKey::new("news");
const LABEL: Topic<String> = Topic::new("label");

async fn a_client_in_rust_works_with_an_application_in_python(database: Database) {
    let other = application("python/app.py", "peer", &database).await;

    talk_to(&other, &database, "nobody can carry order 2000").await;
}

async fn a_client_in_rust_works_with_an_application_in_typescript(database: Database) {
    let other = application("typescript/app.mjs", "peer", &database).await;

    talk_to(&other, &database, "nobody can carry order 2000").await;
}

/// What is ours in a database that another library has made comes with the first program of ours.
async fn client(database: &Database) -> Client {
    neighbour(database).await.kill().await;
    Client::connect(database.url()).await.unwrap()
}

async fn talk_to(_other: &Process, database: &Database, refusal: &str) {
    let client = client(database).await;

    let shipped = client.enqueue("ship", "peer-letters", json!([7, "ann"])).workflow_id("ship-7").await.unwrap();
    let stage = client.run(DBOS::get_event("ship-7", STAGE)).await.unwrap();
    assert_eq!(stage, Some(json!({ "packed": 7 })));
    client.run(DBOS::send("ship-7", "by train", LABEL)).await.unwrap();
    assert_eq!(shipped.result().await.unwrap(), json!("7 to ann, by train"));

    let echoed = client.enqueue("echo", "peer-letters", json!([{ "a": [1, null] }])).await.unwrap();
    let news: Vec<Value> = client.read_stream(echoed.workflow_id(), NEWS).try_collect().await.unwrap();
    assert_eq!((echoed.result().await.unwrap(), news), (json!({ "a": [1, null] }), vec![json!({ "a": [1, null] })]));

    let refused = client.enqueue("refuse", "peer-letters", json!([2000])).await.unwrap().result().await.unwrap_err();
    let Error::Application { name, message, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!((name.ends_with("Error"), message.as_str()), (true, refusal));

    let steps = client.run(DBOS::list_steps("ship-7")).await.unwrap();
    assert!(steps.iter().any(|step| step.name == "DBOS.recv"), "{steps:?}");
    let listed = client.run(DBOS::list_workflows(dbos::WorkflowFilter::new().name("ship"))).await.unwrap();
    assert_eq!(listed[0].application_name.as_deref(), Some("peer"));
}

async fn a_client_in_rust_manages_an_application_in_python(database: Database) {
    let _other = application("python/app.py", "peer", &database).await;

    manage(&database, 3).await;
}

/// Its steps count from 0.
async fn a_client_in_rust_manages_an_application_in_typescript(database: Database) {
    let _other = application("typescript/app.mjs", "peer", &database).await;

    manage(&database, 2).await;
}

/// `third` is the id of the third step of a workflow.
async fn manage(database: &Database, third: u32) {
    let client = client(database).await;
    let of_status = |status: &str, id: &str| {
        format!("SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid = '{id}' AND status = '{status}'")
    };

    let tired = client.enqueue("rest", "peer-letters", json!([600])).workflow_id("tired").await.unwrap();
    database.until_count(&of_status("PENDING", "tired"), 1).await;
    client.run(DBOS::cancel_workflow("tired")).await.unwrap();
    assert!(matches!(tired.result().await, Err(Error::Cancelled { .. })));
    client.run(DBOS::resume_workflow("tired")).await.unwrap();
    database.until_count(&of_status("PENDING", "tired"), 1).await;
    client.run(DBOS::cancel_workflow("tired")).await.unwrap();
    client.run(DBOS::delete_workflow("tired")).await.unwrap();
    assert_eq!(client.workflow("tired").status().await.unwrap(), None);

    let drawn = async |id: &str| -> Vec<String> {
        serde_json::from_value(client.workflow(id).result().await.unwrap()).unwrap()
    };
    client.enqueue("draw_three", "peer-letters", json!([])).workflow_id("drawn").await.unwrap();
    let first = drawn("drawn").await;
    let fork = client.run(DBOS::fork_workflow("drawn", third)).await.unwrap();
    let second = drawn(&fork).await;
    assert_eq!((&second[..2], second[2] == first[2]), (&first[..2], false));
    client.run(DBOS::rewind_workflow("drawn", third)).await.unwrap();
    let third = drawn("drawn").await;
    assert_eq!((&third[..2], third[2] == first[2]), (&first[..2], false));
}

async fn news_of_an_application_in_python_wakes_a_client_in_rust(database: Database) {
    let _other = application("python/app.py", "peer", &database).await;

    listen(&database).await;
}

async fn news_of_an_application_in_typescript_wakes_a_client_in_rust(database: Database) {
    let _other = application("typescript/app.mjs", "peer", &database).await;

    listen(&database).await;
}

/// To a client that would look again in ten minutes.
async fn listen(database: &Database) {
    neighbour(database).await.kill().await;
    let mut config = Config::new("client").database_url(database.url());
    config.poll_interval = Duration::from_mins(10);
    let client = Client::open(config).await.unwrap();

    let late = client.enqueue("echo", "peer-letters", json!(["news"])).delay(Duration::from_secs(1));
    let late = late.workflow_id("late").await.unwrap();
    assert_eq!(client.run(DBOS::get_event(late.workflow_id(), STAGE)).await.unwrap(), Some(json!("news")));
    let news: Vec<Value> = client.read_stream("late", NEWS).try_collect().await.unwrap();
    assert_eq!(news, [json!("news")]);
}

async fn workflows_in_python_and_rust_are_each_others_children(database: Database) {
    let other = application("python/app.py", "peer", &database).await;

    have_children_of_each_other(&other, &database).await;
}

async fn workflows_in_typescript_and_rust_are_each_others_children(database: Database) {
    let other = application("typescript/app.mjs", "peer", &database).await;

    have_children_of_each_other(&other, &database).await;
}

async fn have_children_of_each_other(_other: &Process, database: &Database) {
    let _neighbour = neighbour(database).await;
    let client = Client::connect(database.url()).await.unwrap();

    // A workflow of theirs whose child runs in Rust.
    let theirs = json!(["ship", "neighbour", "letters", [1, "ann"]]);
    let theirs = client.enqueue("delegate", "peer-letters", theirs).workflow_id("theirs").await.unwrap();
    let expected = json!({ "stage": { "packed": 1 }, "result": "1 to ann, \"by train\"" });
    assert_eq!(theirs.result().await.unwrap(), expected);

    // One in Rust whose child runs there.
    let ours = json!({ "name": "ship", "queue": "peer-letters", "arguments": [2, "bob"] });
    let ours = client.enqueue("delegate", "letters", ours).workflow_id("ours").await.unwrap();
    let expected = json!({ "stage": { "packed": 2 }, "result": "2 to bob, by train" });
    assert_eq!(ours.result().await.unwrap(), expected);

    let children = "SELECT count(*) FROM dbos.workflow_status WHERE parent_workflow_id IN ('ours', 'theirs')
                       AND application_name = CASE parent_workflow_id WHEN 'ours' THEN 'peer' ELSE 'neighbour' END";
    assert_eq!(database.count(children).await, 2);
}

async fn each_value_is_equal_between_rust_and_an_application_in_python(database: Database) {
    let _other = application("python/app.py", "peer", &database).await;

    echo_all(&database, |_| true).await;
}

/// It has no other numbers than floats.
async fn each_value_is_equal_between_rust_and_an_application_in_typescript(database: Database) {
    let _other = application("typescript/app.mjs", "peer", &database).await;

    echo_all(&database, |value| value.as_i64().is_none_or(|number| number.unsigned_abs() < 1 << 53) && !value.is_u64())
        .await;
}

/// What Rust enqueues and an application of another language gives back, publishes and streams.
async fn echo_all(database: &Database, is_kept: fn(&Value) -> bool) {
    let client = client(database).await;
    let texts: Vec<String> = serde_json::from_str(&std::fs::read_to_string(VALUES).unwrap()).unwrap();
    let values = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let mut count = 0;
    for value in values.filter(|value| is_kept(value) && *value != json!("__DBOS_STREAM_CLOSED__")) {
        let echoed: Result<_> = client.enqueue("echo", "peer-letters", json!([value])).await;
        let Ok(echoed) = echoed else {
            assert!(echoed.unwrap_err().to_string().contains("NUL character"), "{value}");
            continue;
        };
        assert_eq!(numbers(echoed.result().await.unwrap()), numbers(value.clone()));
        let event = client.run(DBOS::get_event(echoed.workflow_id(), STAGE)).await.unwrap();
        assert_eq!(event.map(numbers), Some(numbers(value.clone())));
        let news: Vec<Value> = client.read_stream(echoed.workflow_id(), NEWS).try_collect().await.unwrap();
        assert_eq!(news.into_iter().map(numbers).collect::<Vec<_>>(), [numbers(value)]);
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

/// A language without whole numbers writes a float that is one like one.
fn numbers(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if !value.is_i64() && !value.is_u64() => json!(number.to_string()),
        Some(_) => json!(value.to_string()),
        None => value,
    }
}

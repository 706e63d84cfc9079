//! A workflow replayed with rows that anybody may have written: it is told apart, and nothing breaks.
//!
//! The first line is the input; each further one is a step, `name=output`, `name!error` or `name>child`.

#![no_main]

use std::time::Duration;

use dbos::{DBOS, Event, Result, Topic, step, workflow};
use libfuzzer_sys::fuzz_target;

const NEWS: Topic<Vec<u8>> = Topic::new("news");
const STAGE: Event<Option<String>> = Event::new("stage");

#[step]
async fn draw(picture: &str) -> Result<u8> {
    unreachable!("no step runs in a replay of {picture}")
}

#[workflow]
async fn copy(picture: String) -> Result<u64> {
    Ok(picture.len() as u64)
}

#[workflow]
async fn paint(picture: String) -> Result<u64> {
    let first = draw(&picture).await.unwrap_or_default();
    DBOS::sleep(Duration::from_secs(1)).await;
    let news = DBOS::recv(NEWS, Duration::from_secs(1)).await?.unwrap_or_default();
    DBOS::set_event(STAGE, None).await?;
    let stage = DBOS::get_event("another", STAGE).await?;
    let again = dbos::select! {
        drawn = draw(&picture) => drawn?,
        () = DBOS::sleep(Duration::from_secs(1)) => 0,
    };
    let copies = copy(picture).await?;
    Ok(copies.wrapping_add(u64::from(first) + u64::from(again)).wrapping_add((news.len() + stage.iter().len()) as u64))
}

/// As it is if it is JSON, else as a text.
fn payload(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn history(text: &str) -> String {
    let mut lines = text.lines();
    let inputs = payload(lines.next().unwrap_or_default());
    let steps = lines.zip(1..).map(|(line, id)| {
        let (name, kind, value) = match line.split_once(['=', '!', '>']) {
            Some((name, value)) if line[name.len()..].starts_with('=') => (name, "output", payload(value)),
            Some((name, value)) if line[name.len()..].starts_with('!') => (name, "error", payload(value)),
            Some((name, child)) => (name, "child_workflow_id", quoted(child)),
            None => (line, "output", "null".to_owned()),
        };
        format!(r#"{{"step_id":{id},"name":{},"{kind}":{value}}}"#, quoted(name))
    });
    let steps = steps.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"format":1,"workflows":[{{"workflow_id":"w","name":"paint","status":"SUCCESS","created_at_ms":0,
            "inputs":{inputs},"output":"0","steps":[{steps}]}}]}}"#
    )
}

fuzz_target!(|text: &str| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(dbos::replay::check(&history(text))).ok();
});

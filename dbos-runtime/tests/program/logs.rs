//! What a program logs about its workflows.

use std::path::Path;

use dbos::{DBOS, Event, tracing};
use serde_json::Value;

use crate::process::{self, Program};

#[dbos::workflow]
async fn panicking() -> dbos::Result<()> {
    panic!("in two\nlines")
}

#[dbos::post_api("/panic/:id")]
async fn panic(id: String) -> dbos::Result<()> {
    panicking().workflow_id(id).await
}

#[dbos::post_api("/say")]
async fn say(text: String) {
    tracing::warn!("somebody says {text}");
}

const READY: Event<bool> = Event::new("ready");

#[dbos::step]
async fn knock() {
    tracing::warn!("knocking");
}

#[dbos::workflow]
async fn inner() -> dbos::Result<()> {
    tracing::warn!("inside");
    Ok(())
}

#[dbos::workflow]
async fn outer() -> dbos::Result<()> {
    tracing::warn!("outside");
    knock().await;
    inner().await
}

#[dbos::post_api("/log/:id")]
async fn log(id: String) -> dbos::Result<()> {
    outer().workflow_id(id).await
}

#[dbos::workflow]
async fn patient() -> dbos::Result<()> {
    knock().await;
    DBOS::set_event(READY, true).await?;
    std::future::pending().await
}

#[dbos::post_api("/wait/:id")]
async fn wait(id: String) -> dbos::Result<()> {
    DBOS::start_workflow(patient()).workflow_id(&id).await?;
    DBOS::get_event(id, READY).await.map(drop)
}

/// The line without the trace of the request that started the workflow, which is another each time.
fn without_trace(line: &str) -> String {
    let (before, trace) = line.split_once(" trace_id=\"").unwrap_or_else(|| panic!("no trace: {line}"));
    let (id, after) = trace.split_once('"').expect("a closing quote");
    assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    format!("{before}{after}")
}

/// Runs `outer` as `W` in a program with `variables` and gives the three lines that it logs.
fn logged(variables: &[(&str, &str)]) -> (Program, u16, [String; 3]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = Program::start_in(folder.path(), &["--port", "0"], variables);
    let port = program.port();
    process::answer(process::ask(port, "POST", "/log/W")).expect("an answer");
    let lines = ["outside", "knocking", "inside"].map(|part| program.wait_for_log(part));
    (program, port, lines)
}

pub(crate) fn every_line_of_a_workflow_names_it_and_its_step() {
    let (_program, _, lines) = logged(&[]);
    let [outside, knocking, inside] = lines.map(|line| without_trace(&line));

    let outer = r#"workflow{dbos.workflow.id="W" dbos.workflow.name="outer"}: "#;
    assert!(outside.contains(outer), "{outside}");
    let step =
        r#"workflow{dbos.workflow.id="W" dbos.workflow.name="outer"}:step{dbos.step.id=1 dbos.step.name="knock"}: "#;
    assert!(knocking.contains(step), "{knocking}");
    let inner = r#"workflow{dbos.workflow.id="W-2" dbos.workflow.name="inner"}: "#;
    assert!(inside.contains(inner), "{inside}");
    assert_eq!(inside.matches("workflow{").count(), 1, "{inside}");
    for line in [outside, knocking, inside] {
        assert!(!line.contains('\u{1b}'), "colours off a terminal: {line}");
    }
}

pub(crate) fn lines_for_programs_are_objects_each() {
    let (mut program, port, [outside, knocking, inside]) = logged(&[("DBOS_LOG_FORMAT", "json")]);

    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let workflow = |line: &Value| line["spans"][0]["dbos.workflow.id"].clone();
    assert_eq!(workflow(&line(&outside)), "W");
    let knocking = line(&knocking);
    assert_eq!((&knocking["level"], &knocking["message"]), (&Value::from("WARN"), &Value::from("knocking")));
    assert_eq!(workflow(&knocking), "W");
    assert_eq!(knocking["spans"][1]["dbos.step.id"], 1);
    assert_eq!(knocking["spans"][1]["dbos.step.name"], "knock");
    assert_eq!(workflow(&line(&inside)), "W-2");

    process::answer(process::ask(port, "POST", "/panic/P")).expect("an answer");
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.end(), Some(0));
    assert!(program.said().contains(r"in two\nlines"), "{}", program.said());
    program.said().lines().for_each(|text| drop(line(text)));
    let mut failing =
        Program::start_in(Path::new("/"), &["--log-format", "json", "--host", "no.such.host.invalid"], &[]);
    assert_eq!(failing.end(), Some(2));
    assert_eq!(line(&failing.said())["level"], "ERROR");
}

pub(crate) fn a_choice_of_lines_never_costs_their_workflow() {
    let (_program, _, [_, knocking, _]) = logged(&[("RUST_LOG", "program=warn")]);

    assert!(knocking.contains(r#"dbos.workflow.id="W""#) && knocking.contains("dbos.step.id=1"), "{knocking}");
}

pub(crate) fn a_recovery_names_the_workflow_and_where_it_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = Program::start_in(folder.path(), &["--port", "0"], &[]);
    let port = first.port();
    process::answer(process::ask(port, "POST", "/wait/W")).expect("an answer");

    first.signal(rustix::process::Signal::KILL);
    first.end();
    let mut second = Program::start_in(folder.path(), &["--port", "0"], &[]);

    let line = without_trace(&second.wait_for_log("recovering workflow"));
    assert!(line.contains(r#"workflow{dbos.workflow.id="W" dbos.workflow.name="patient"}: "#), "{line}");
    assert!(line.contains("it goes on after step 2, `DBOS.setEvent`"), "{line}");
}

pub(crate) fn what_callers_send_commands_no_terminal() {
    let mut program = Program::start_with(&["--port", "0"], &[("RUST_LOG", "debug")]);
    let port = program.port();
    let body = r#"{"text":"\u001b[31mred\u0007"}"#;
    let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());

    process::answer(process::ask_with_body(port, "/say", &headers, body)).expect("an answer");
    process::answer(process::ask(port, "GET", "/%1b%5b31mred")).expect("an answer");

    for line in [program.wait_for_log("somebody says"), program.wait_for_log("31mred")] {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

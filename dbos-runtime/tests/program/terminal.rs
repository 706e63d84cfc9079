//! The `workflow` commands, beside a program that serves.

use serde_json::{Value, json};

use crate::process::{self, Program};

/// A program with a workflow that has ended and two that wait.
fn program_with_three() -> (Program, u16) {
    let mut program = Program::start(&["--port", "0"]);
    let port = program.port();
    for key in ["w-1", "w-2", "w-3"] {
        post(port, &format!("/pause/{key}"));
    }
    post(port, "/go_on/w-1/world");
    process::wait_until(|| show(&program, "w-1")["status"] == "SUCCESS");
    (program, port)
}

fn post(port: u16, path: &str) {
    let answer = process::answer(process::ask(port, "POST", path)).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204"), "{path}: {answer}");
}

fn json_of(program: &Program, words: &[&str]) -> Value {
    let ended = program.command(words);
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.said);
    serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", ended.output))
}

fn show(program: &Program, workflow: &str) -> Value {
    json_of(program, &["workflow", "get", workflow, "--json"])
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|workflow| workflow["workflow_id"].as_str()).collect()
}

pub(crate) fn a_list_shows_what_is_asked_for() {
    let (program, _) = program_with_three();

    let table = program.command(&["workflow", "list", "--oldest-first"]);
    let lines: Vec<_> = table.output.lines().collect();
    assert!(lines[0].starts_with("WORKFLOW ID  NAME   STATUS   STARTED"), "{}", table.output);
    assert!(lines[1].starts_with("w-1          waits  SUCCESS  20"), "{}", table.output);
    assert!(lines[2].starts_with("w-2          waits  PENDING  20"), "{}", table.output);
    assert_eq!((lines.len(), table.said.as_str()), (4, ""));

    for (words, expected) in [
        ("--status success", ["w-1"].as_slice()),
        ("--status ERROR,pending --name waits", &["w-3", "w-2"]),
        ("--name nothing", &[]),
        ("--id w-2 --id w-9", &["w-2"]),
        ("--id-prefix w- --limit 1", &["w-3"]),
        ("--since 1h --until 0s --oldest-first --after w-1", &["w-2", "w-3"]),
        ("--until 1h", &[]),
    ] {
        let list = format!("workflow list --json {words}");
        assert_eq!(ids(&json_of(&program, &list.split(' ').collect::<Vec<_>>())), expected, "{words}");
    }

    let page = program.command(&["workflow", "list", "--json", "--limit", "2"]);
    assert_eq!(page.said, "there may be more: add --after w-2");
}

pub(crate) fn a_queue_is_listed_paused_and_resumed() {
    let mut program = Program::start(&["--port", "0"]);
    let port = program.port();

    assert_eq!(program.command(&["queue", "pause", "lane"]).output, "lane: paused");
    post(port, "/enqueue/q");
    let table = program.command(&["queue", "list"]).output;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("QUEUE  STATE   WAITING  RUNNING  LIMITS"), "{table}");
    assert!(lines[1].starts_with("lane   paused  1        0        2 at once  5 in 1000 ms"), "{table}");

    assert_eq!(
        json_of(&program, &["queue", "resume", "lane", "--json"]),
        json!({ "queue": "lane", "outcome": "resumed" })
    );
    process::wait_until(|| show(&program, "q")["status"] == "SUCCESS");
    let no_limits = json!({ "concurrency": null, "worker_concurrency": null, "rate_limit": null });
    let (mut whole, mut partition) = (no_limits.clone(), no_limits);
    whole["concurrency"] = json!(2);
    partition["rate_limit"] = json!({ "starts": 5, "period_ms": 1000 });
    assert_eq!(
        json_of(&program, &["queue", "list", "--json"]),
        json!([{
            "name": "lane", "application_name": "program", "limits": whole, "partition_limits": partition,
            "is_paused": false, "waiting": 0, "running": 0, "unreadable": null,
        }])
    );

    let nobody = program.command(&["queue", "pause", "nobody's"]);
    assert_eq!(nobody.code, Some(1), "{}", nobody.said);
    assert!(nobody.said.contains("nobody serves the queue `nobody's`"), "{}", nobody.said);
}

pub(crate) fn a_person_and_a_program_see_one_workflow() {
    let (program, _) = program_with_three();

    let mut seen = show(&program, "w-1");
    for (name, value) in seen.as_object_mut().expect("an object") {
        let varies = name.ends_with("_at_ms") || name == "executor_id" || name == "application_version";
        if varies && !value.is_null() {
            *value = json!("…");
        }
    }
    let expected = json!({
        "workflow_id": "w-1", "name": "waits", "status": "SUCCESS", "unknown_status": null,
        "executor_id": "…", "application_name": "program", "application_version": "…", "queue_name": null,
        "recovery_attempts": 1, "parent_workflow_id": null, "created_at_ms": "…", "updated_at_ms": "…",
        "dequeued_at_ms": null, "completed_at_ms": "…", "timeout_ms": null, "deadline_ms": null,
        "authenticated_user": null, "authenticated_roles": [], "assumed_role": null, "attributes": null,
        "forked_from": null, "was_forked": false, "deduplication_id": null, "priority": 0, "partition_key": null,
        "delayed_until_ms": null, "schedule_name": null, "unreadable": [],
        "serialization": "portable_json", "inputs": { "positionalArgs": [], "namedArgs": { "greeting": "hello" } },
        "output": "hello, world", "error": null,
    });
    assert_eq!(seen, expected);
    let table = program.command(&["workflow", "get", "w-1"]).output;
    assert!(table.contains("status       SUCCESS") && table.contains(r#""greeting":"hello""#), "{table}");

    let steps = json_of(&program, &["workflow", "steps", "w-1", "--json"]);
    let names: Vec<_> =
        steps.as_array().expect("a list").iter().map(|step| (&step["step_id"], &step["name"])).collect();
    assert_eq!(json!(names), json!([[1, "nothing_much"], [2, "DBOS.recv"], [3, "DBOS.sleep"]]));
    assert_eq!(steps[1]["output"], "\"world\"");
    let table = program.command(&["workflow", "steps", "w-1"]).output;
    assert!(table.lines().nth(2).is_some_and(|line| line.starts_with("2     DBOS.recv")), "{table}");
}

/// What was done to a workflow, for programs.
fn report(workflow: &str, outcome: &str) -> Value {
    json!({
        "workflow_id": workflow, "outcome": outcome, "status": null, "descendants": [], "new_workflow_id": null,
        "error": null
    })
}

pub(crate) fn workflows_begin_again_and_are_deleted() {
    let (program, port) = program_with_three();
    let lines =
        |words: &str| program.command(&[&["workflow"], words.split(' ').collect::<Vec<_>>().as_slice()].concat());

    assert_eq!(lines("fork w-1 --new-id f --last-step").output, "w-1: forked as f");
    process::wait_until(|| show(&program, "f")["status"] == "SUCCESS");
    assert_eq!(show(&program, "f")["forked_from"], "w-1");
    let restarted = json_of(&program, &["workflow", "restart", "w-1", "--json"]);
    let new = restarted[0]["new_workflow_id"].as_str().expect("an id").to_owned();
    post(port, &format!("/go_on/{new}/anew"));
    process::wait_until(|| show(&program, &new)["output"] == "hello, anew");
    assert_eq!(lines("rewind w-1 --last-step").output, "w-1: rewound");
    process::wait_until(|| show(&program, "w-1")["status"] == "SUCCESS");
    assert_eq!(ids(&json_of(&program, &["workflow", "list", "--was-forked", "--json"])), ["w-1"]);

    let refused = lines("rewind w-2");
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.output, "w-2: failed: workflow `w-2` has not ended, it is PENDING; cancel it first");
    assert_eq!(lines("fork w-1 w-2 --new-id two").code, Some(2));
    assert_eq!(lines("fork w-1 --step 1 --last-step").code, Some(2));
    let deleted = lines("delete f w-2 --children");
    assert_eq!(deleted.code, Some(1));
    assert_eq!(deleted.output, "f: deleted\nw-2: failed: workflow `w-2` has not ended, it is PENDING; cancel it first");
    assert_eq!(lines("get f").code, Some(1));
}

pub(crate) fn what_there_is_is_counted() {
    let (program, _) = program_with_three();

    let table = program.command(&["workflow", "stats", "--by", "status"]).output;
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[1].as_slice(), &lines[2][..2]), (["PENDING", "2"].as_slice(), ["SUCCESS", "1"].as_slice()));
    let groups = json_of(&program, &["workflow", "stats", "--steps", "--by", "name", "--since", "1h", "--json"]);
    assert!(groups.as_array().is_some_and(|groups| groups.iter().any(|group| group["name"] == "nothing_much")));
    assert_eq!(json_of(&program, &["workflow", "stats", "--until", "1h", "--json"]), json!([]));

    let versions = json_of(&program, &["workflow", "versions", "--json"]);
    assert_eq!(versions[0]["version"], show(&program, "w-1")["application_version"]);
    assert_eq!((&versions[0]["open"], &versions[0]["stranded"]), (&json!(2), &json!(0)));
    assert_eq!(program.command(&["workflow", "versions", "--set-latest", "other"]).code, Some(2));
}

pub(crate) fn one_line_tells_what_became_of_each() {
    let (program, port) = program_with_three();

    let cancelled = program.command(&["workflow", "cancel", "w-1", "w-2", "nobody"]);
    assert_eq!(cancelled.code, Some(1));
    assert_eq!(
        cancelled.output,
        "w-1: unchanged, it has ended as SUCCESS\nw-2: cancelled\nnobody: failed: no workflow has the id `nobody`"
    );
    let resumed = json_of(&program, &["workflow", "resume", "w-2", "w-1", "--json"]);
    assert_eq!(
        resumed,
        json!([
            report("w-2", "resumed"),
            json!({
                "workflow_id": "w-1", "outcome": "unchanged", "status": "SUCCESS", "descendants": [],
                "new_workflow_id": null, "error": null
            }),
        ])
    );

    // The program that serves takes it up and ends it.
    post(port, "/go_on/w-2/again");
    process::wait_until(|| show(&program, "w-2")["status"] == "SUCCESS");
    assert_eq!(show(&program, "w-2")["output"], "hello, again");
}

pub(crate) fn the_terminal_makes_nothing() {
    let program = Program::start(&["workflow", "list"]);
    let neighbour = program.beside(&["workflow", "resume", "w-1"]);

    for (mut program, files) in [(program, 0), (neighbour, 0)] {
        assert_eq!(program.end(), Some(2));
        assert_eq!(
            program.said(),
            "program: there is no file ./program.sqlite; run the command `migrate` to create it, \
             or name another with --database-url"
        );
        assert_eq!(program.files(), files);
    }
}

pub(crate) fn what_a_person_cannot_mean_is_refused() {
    let program = Program::start(&["migrate"]);
    let neighbour = program.beside(&["migrate"]);
    assert_eq!(program.ended().code, Some(0));

    for words in
        [["workflow", "get", "nobody"], ["workflow", "steps", "nobody"], ["workflow", "list", "--after=nobody"]]
    {
        let ended = neighbour.command(&words);
        assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""), "{words:?}");
        assert_eq!(ended.said, "program: no workflow has the id `nobody`", "{words:?}");
    }
    for (words, part) in [
        (["list", "--status=PAUSED"], "it is none of PENDING, SUCCESS"),
        (["list", "--since=yesterday"], "such as 2h or 7d"),
        (["list", "--limit=0"], "0 is not in 1..=1000"),
        (["cancel", "--children"], "<WORKFLOW_IDS>..."),
    ] {
        let ended = neighbour.command(&["workflow", words[0], words[1]]);
        assert_eq!(ended.code, Some(2), "{words:?}");
        assert!(ended.said.contains(part), "{words:?}: {}", ended.said);
    }
}

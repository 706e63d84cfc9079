//! The health of a program, and its admin server.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{self, Program};

const TOKEN: &str = "correct horse battery staple";

/// A program with an admin server: the program, its port, the admin server's port.
fn program(environment: &[(&str, &str)]) -> (Program, u16, u16) {
    let mut program = Program::start_with(&["--port", "0", "--admin-port", "0"], environment);
    let port = program.port();
    let admin = program.admin_port();
    (program, port, admin)
}

/// Status and body.
fn ask(port: u16, method: &str, path: &str, headers: &str) -> (u16, String) {
    let answer = process::answer(process::ask_with(port, method, path, headers)).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

fn get(port: u16, path: &str) -> (u16, String) {
    ask(port, "GET", path, "Host: localhost")
}

fn post(port: u16, path: &str) -> (u16, String) {
    ask(port, "POST", path, "Host: localhost")
}

fn json((status, body): (u16, String)) -> Value {
    assert_eq!(status, 200, "{body}");
    body.parse().expect("JSON")
}

fn message((status, body): (u16, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    (status, body["message"].as_str().expect("a message").to_owned())
}

pub(crate) fn a_program_tells_whether_it_lives_and_is_ready() {
    let (_program, port, admin) = program(&[]);

    for port in [port, admin] {
        assert_eq!(get(port, "/dbos-healthz"), (200, "healthy".to_owned()));
        assert_eq!(get(port, "/dbos-readyz"), (200, "ready".to_owned()));
        assert_eq!(post(port, "/dbos-readyz").0, 405);
    }
    let (status, index) = get(admin, "/");
    assert_eq!(status, 200);
    for route in ["GET     /workflows\n", "POST    /workflows/:workflow/cancel\n", "GET     /dbos-readyz\n"] {
        assert!(index.contains(route), "{index}");
    }
    assert_eq!(get(port, "/workflows").0, 404, "the program's own port has no admin routes");
}

pub(crate) fn a_draining_program_is_not_ready() {
    let (mut program, port, admin) = program(&[]);
    let _open = process::ask(port, "GET", "/forever");
    program.wait_for("asked");

    program.signal(Signal::TERM);
    process::wait_until(|| get(admin, "/dbos-readyz").0 == 503);

    assert_eq!(message(get(admin, "/dbos-readyz")), (503, "the program is shutting down".to_owned()));
    assert_eq!(get(admin, "/dbos-healthz").0, 200);
    program.signal(Signal::TERM);
    assert_eq!(program.end(), Some(130));
}

pub(crate) fn the_admin_server_does_what_the_terminal_does() {
    let (program, port, admin) = program(&[]);
    for key in ["w-1", "w-2", "w 3"] {
        assert_eq!(post(port, &format!("/pause/{}", key.replace(' ', "%20"))).0, 204);
    }

    let list = program.command(&["workflow", "list", "--json", "--oldest-first"]).output;
    let same = json(get(admin, "/workflows?oldest_first=true"));
    assert_eq!(same, serde_json::from_str::<Value>(&list).expect("JSON"));
    let first = json(get(admin, "/workflows?id_prefix=w-&status=pending&status=ERROR&name=waits&limit=1&after=w-2"));
    assert_eq!(first.as_array().map(Vec::len), Some(1));
    assert_eq!(first[0]["workflow_id"], "w-1");

    let one = program.command(&["workflow", "get", "w 3", "--json"]).output;
    assert_eq!(json(get(admin, "/workflows/w%203")), serde_json::from_str::<Value>(&one).expect("JSON"));
    assert_eq!(json(get(admin, "/workflows/w-1/steps"))[0]["name"], "nothing_much");

    let report = |outcome: &str| {
        json!({
            "workflow_id": "w-1", "outcome": outcome, "status": null, "descendants": [], "new_workflow_id": null, "error": null
        })
    };
    assert_eq!(message(post(admin, "/workflows/w-1/resume")).0, 409, "it is being run");
    assert_eq!(json(post(admin, "/workflows/w-1/cancel?children=true")), report("cancelled"));
    assert_eq!(json(post(admin, "/workflows/w-1/resume")), report("resumed"));
    assert_eq!(post(port, "/go_on/w-1/on").0, 204);
    process::wait_until(|| json(get(admin, "/workflows/w-1"))["output"] == "hello, on");
    assert_eq!(json(post(admin, "/workflows/w-1/cancel"))["status"], "SUCCESS");

    let forked = json(post(admin, "/workflows/w-1/fork?last_step=true&new_workflow_id=f"));
    assert_eq!((&forked["outcome"], &forked["new_workflow_id"]), (&json!("forked"), &json!("f")));
    process::wait_until(|| json(get(admin, "/workflows/f"))["output"] == "hello, on");
    assert_eq!(json(get(admin, "/workflows?forked_from=w-1&load_output=true"))[0]["output"], "\"hello, on\"");
    assert_eq!(json(post(admin, "/workflows/w-1/rewind?step_named=DBOS.sleep")), report("rewound"));
    process::wait_until(|| json(get(admin, "/workflows/w-1"))["status"] == "SUCCESS");
    let new = json(post(admin, "/workflows/w-1/restart"))["new_workflow_id"].as_str().map(str::to_owned);
    process::wait_until(|| {
        json(get(admin, &format!("/workflows/{}", new.as_deref().expect("an id"))))["status"] == "PENDING"
    });
    assert_eq!(json(ask(admin, "DELETE", "/workflows/w-1?children=true", "Host: localhost")), report("deleted"));
    assert_eq!(get(admin, "/workflows/w-1").0, 404);
    assert_eq!(json(get(admin, "/stats/workflows?by=status,name&from_ms=1"))[1]["count"], 1);
    assert_eq!(json(get(admin, "/stats/steps?by=name&by=status"))[0]["name"], "DBOS.recv");
    assert_eq!(json(get(admin, "/versions"))[0]["is_latest"], true);

    for (method, path, status, part) in [
        ("GET", "/workflows/nobody", 404, "no workflow has the id `nobody`"),
        ("GET", "/workflows/nobody/steps", 404, "no workflow has the id `nobody`"),
        ("POST", "/workflows/nobody/cancel", 404, "no workflow has the id `nobody`"),
        ("POST", "/workflows/nobody/resume", 404, "no workflow has the id `nobody`"),
        ("GET", "/workflows?after=nobody", 404, "no workflow has the id `nobody`"),
        ("GET", "/workflows?stauts=ERROR", 400, "there is no argument `stauts` here"),
        ("GET", "/workflows?status=PAUSED", 400, "there is no status `PAUSED`"),
        ("GET", "/workflows?limit=1001", 400, "is not from 1 to 1000"),
        ("GET", "/workflows?limit=0", 400, "is not from 1 to 1000"),
        ("POST", "/workflows/w-2/cancel?childern=true", 400, "there is no argument `childern` here"),
        ("POST", "/workflows/w-2/rewind", 409, "workflow `w-2` has not ended, it is PENDING"),
        ("DELETE", "/workflows/w-2", 409, "workflow `w-2` has not ended, it is PENDING"),
        ("POST", "/workflows/w-2/fork?step=9", 400, "9 is too high"),
        ("POST", "/workflows/w-2/fork?step=1&last_step=true", 400, "more than one step is named"),
        ("POST", "/workflows/nobody/fork", 404, "no workflow has the id `nobody`"),
        ("GET", "/workflows?attribute=customer", 400, "an attribute is written KEY=VALUE"),
        ("GET", "/stats/workflows?by=size", 400, "nothing is counted by `size`"),
        ("GET", "/workflows/w-2/cancel", 405, "GET is not allowed here"),
    ] {
        let (answered, said) = message(ask(admin, method, path, "Host: localhost"));
        assert!(answered == status && said.contains(part), "{method} {path}: {answered} {said}");
    }
}

pub(crate) fn what_a_dead_program_left_goes_on_when_it_is_asked_for() {
    let mut first = Program::start(&["--port", "0"]);
    first.wait_for("started");
    let initialized = first.line();
    let name = initialized.split(['(', ',']).nth(1).expect("an executor").to_owned();
    let port = first.port();
    // It looks for the dead so seldom that only asking helps.
    let mut second = first.beside_with(&["--port", "0", "--admin-port", "0"], &[("DBOS_LEASE_MS", "3600000")]);
    let admin = (second.port(), second.admin_port()).1;
    let recover = |body: &str| {
        let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        let answer = process::answer(process::ask_with_body(admin, "/dbos-workflow-recovery", &headers, body));
        let answer = answer.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    };
    let ours = json!([name]).to_string();
    assert_eq!(post(port, "/pause/w-1").0, 204);

    assert_eq!(json(recover(&ours)), json!([]), "a living one keeps its work");
    assert_eq!(json(recover("[\"local\"]")), json!([]));
    for body in ["", "{}", "\"local\"", "[1]", "[", "null"] {
        assert_eq!(recover(body).0, 400, "{body}");
    }
    first.signal(Signal::KILL);
    assert_eq!(first.end(), None);

    assert_eq!(json(recover(&ours)), json!(["w-1"]));
    assert_eq!(json(recover(&ours)), json!([]), "it is ours now");
    assert_eq!(json(get(admin, "/workflows/w-1"))["status"], "PENDING");
}

pub(crate) fn strangers_are_kept_from_the_admin_server() {
    let (_program, port, admin) = program(&[]);
    assert_eq!(post(port, "/pause/w-1").0, 204);

    for headers in [
        "Host: rebound.example",
        "Host: localhost\r\nX-Forwarded-For: 10.0.0.1",
        "Host: localhost\r\nOrigin: http://evil.example",
        "Host: localhost\r\nSec-Fetch-Site: cross-site",
    ] {
        assert_eq!(ask(admin, "POST", "/workflows/w-1/cancel", headers).0, 403, "{headers}");
    }
    assert_eq!(json(get(admin, "/workflows/w-1"))["status"], "PENDING");
}

pub(crate) fn the_token_is_asked_for_and_never_told() {
    let (mut program, _, admin) = program(&[("DBOS_ADMIN_TOKEN", TOKEN), ("RUST_LOG", "trace")]);
    let with = |authorization: &str| format!("Host: localhost\r\nAuthorization: {authorization}");

    for headers in [
        "Host: localhost".to_owned(),
        with(TOKEN),
        with(&format!("Basic {TOKEN}")),
        with("Bearer "),
        with(&format!("Bearer {}", &TOKEN[1..])),
        with(&format!("Bearer {TOKEN}!")),
        with(&format!("Bearer {}", TOKEN.to_uppercase())),
    ] {
        let answer = process::answer(process::ask_with(admin, "GET", "/workflows", &headers)).expect("an answer");
        assert!(
            answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"),
            "{headers}: {answer}"
        );
    }
    assert_eq!(json(ask(admin, "GET", "/workflows", &with(&format!("Bearer {TOKEN}")))), json!([]));
    assert_eq!(get(admin, "/dbos-readyz").0, 200, "whoever watches the program needs no token");

    program.signal(Signal::TERM);
    assert_eq!(program.end(), Some(0));
    let said = program.said();
    assert!(said.contains("GET") && !said.to_lowercase().contains("battery"), "{said}");
}

pub(crate) fn the_admin_server_is_refused_where_anybody_could_reach_it() {
    let words = ["--port", "0", "--admin-port", "0", "--admin-host", "0.0.0.0"];

    let refused = Program::start(&words).ended();
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.said,
        "program: the admin server on 0.0.0.0 could be reached from elsewhere; set DBOS_ADMIN_TOKEN, \
         or leave it on 127.0.0.1"
    );
    let short = Program::start_with(&words, &[("DBOS_ADMIN_TOKEN", "letmein")]).ended();
    assert_eq!(short.code, Some(2));
    assert_eq!(
        short.said,
        "program: the environment variable DBOS_ADMIN_TOKEN is refused: it has fewer than 16 characters"
    );

    let mut open = Program::start_with(&words, &[("DBOS_ADMIN_TOKEN", TOKEN)]);
    assert_eq!(get(open.admin_port(), "/workflows").0, 401);
}

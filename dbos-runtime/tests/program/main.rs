//! A whole program from outside: started, asked, killed, stopped.
//!
//! The test binary is also the program: with `PROGRAM` in its environment it runs as one.

mod admin;
mod logs;
mod process;
mod terminal;

use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use dbos::__private::{Application, Migrations};
use libtest_mimic::{Arguments as TestArguments, Trial};
use rustix::process::Signal;

use admin::{
    a_draining_program_is_not_ready, a_program_tells_whether_it_lives_and_is_ready,
    strangers_are_kept_from_the_admin_server, the_admin_server_does_what_the_terminal_does,
    the_admin_server_is_refused_where_anybody_could_reach_it, the_token_is_asked_for_and_never_told,
    what_a_dead_program_left_goes_on_when_it_is_asked_for,
};
use logs::{
    a_choice_of_lines_never_costs_their_workflow, a_recovery_names_the_workflow_and_where_it_goes_on,
    every_line_of_a_workflow_names_it_and_its_step, lines_for_programs_are_objects_each,
    what_callers_send_commands_no_terminal,
};
use process::{PROGRAM, Program, SLOW_TO_START, SUPERVISED};
use terminal::{
    a_list_shows_what_is_asked_for, a_person_and_a_program_see_one_workflow, a_queue_is_listed_paused_and_resumed,
    one_line_tells_what_became_of_each, the_terminal_makes_nothing, what_a_person_cannot_mean_is_refused,
    what_there_is_is_counted, workflows_begin_again_and_are_deleted,
};

/// How long the slow handler takes; long enough for a signal to arrive meanwhile.
const SLOW: Duration = Duration::from_millis(300);

#[dbos::workflow]
async fn nothing() -> dbos::Result<()> {
    nothing_much().await;
    Ok(())
}

#[dbos::step]
async fn nothing_much() {}

const GO_ON: dbos::Topic<String> = dbos::Topic::new("go on");

#[dbos::workflow]
async fn waits(greeting: String) -> dbos::Result<String> {
    nothing_much().await;
    let word = dbos::DBOS::recv(GO_ON, Duration::from_hours(1)).await?;
    Ok(format!("{greeting}, {}", word.unwrap_or_default()))
}

#[dbos::post_api("/pause/:key")]
async fn pause_until_told(key: String) -> dbos::Result<()> {
    dbos::DBOS::start_workflow(waits("hello".to_owned())).workflow_id(key).await.map(drop)
}

#[dbos::post_api("/go_on/:key/:word")]
async fn go_on(key: String, word: String) -> dbos::Result<()> {
    dbos::DBOS::send(key, word, GO_ON).await
}

#[dbos::queue]
static LANE: dbos::Queue = dbos::Queue::new("lane").concurrency(2).partition_rate_limit(5, Duration::from_secs(1));

#[dbos::post_api("/enqueue/:key")]
async fn enqueue(key: String) -> dbos::Result<()> {
    nothing().enqueue(&LANE).partition_key("k").workflow_id(key).await.map(drop)
}

/// What the body of the main function sets up, after a while.
static SET_UP: OnceLock<&str> = OnceLock::new();

async fn set_up() {
    if std::env::var_os(SLOW_TO_START).is_some() {
        tokio::time::timeout(SLOW, std::future::pending::<()>()).await.expect_err("nothing else ends it");
    }
    SET_UP.get_or_init(|| "set up");
}

#[dbos::workflow]
async fn uses_what_main_set_up() -> dbos::Result<String> {
    dbos::DBOS::sleep(Duration::from_millis(50)).await;
    Ok(SET_UP.get().copied().unwrap_or("not set up").to_owned())
}

#[dbos::post_api("/use_and_crash")]
async fn use_and_crash() -> dbos::Result<()> {
    dbos::DBOS::start_workflow(uses_what_main_set_up()).workflow_id("user").await?;
    std::process::exit(1);
}

#[dbos::get_api("/used")]
async fn used() -> dbos::Result<String> {
    uses_what_main_set_up().workflow_id("user").await
}

#[dbos::get_api("/process")]
async fn process_id() -> u32 {
    std::process::id()
}

#[dbos::post_api("/crash/:key?")]
async fn crash(key: Option<String>) {
    std::process::exit(key.map_or(1, |_| 3));
}

#[dbos::get_api("/slow")]
async fn slow() -> &'static str {
    println!("asked");
    // Nothing outside can tell the handler that the signal has arrived.
    tokio::time::timeout(SLOW, std::future::pending::<()>()).await.expect_err("nothing else ends it");
    "slow"
}

#[dbos::get_api("/forever")]
async fn forever() {
    println!("asked");
    std::future::pending().await
}

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_none() {
        return libtest_mimic::run(&TestArguments::from_args(), trials()).exit_code();
    }
    dbos::__private::run(Application {
        name: "program",
        version: "1.2.3",
        migrations: Migrations { postgres: &[], sqlite: &[] },
        port: None,
        admin_port: None,
        supervise: std::env::var_os(SUPERVISED).is_some(),
        started: || {
            Box::pin(async {
                set_up().await;
                println!("started");
                Ok(())
            })
        },
    })
}

macro_rules! trials {
    ($($name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),*]
        }
    };
}

trials! {
    a_program_says_what_it_serves_and_where
    the_routes_are_told_of_where_the_settings_say
    open_requests_are_answered_before_the_end
    a_second_signal_ends_at_once
    a_crash_is_followed_by_a_restart
    a_killed_child_is_followed_by_a_restart
    a_stopped_supervisor_takes_its_child_along
    a_second_signal_to_the_supervisor_ends_both_at_once
    a_killed_supervisor_leaves_nothing_behind
    a_busy_port_is_one_sentence_and_no_loop
    a_program_out_of_files_answers_again_once_it_has_some
    a_recovered_workflow_finds_what_main_has_set_up
    mistakes_in_the_settings_are_one_sentence
    the_other_commands_print_and_end
    the_settings_in_force_are_shown_with_their_sources
    a_setting_that_is_none_is_named_with_its_neighbour
    every_line_of_a_workflow_names_it_and_its_step
    lines_for_programs_are_objects_each
    what_callers_send_commands_no_terminal
    a_choice_of_lines_never_costs_their_workflow
    a_recovery_names_the_workflow_and_where_it_goes_on
    a_list_shows_what_is_asked_for
    a_queue_is_listed_paused_and_resumed
    a_person_and_a_program_see_one_workflow
    one_line_tells_what_became_of_each
    workflows_begin_again_and_are_deleted
    what_there_is_is_counted
    the_terminal_makes_nothing
    what_a_person_cannot_mean_is_refused
    a_program_tells_whether_it_lives_and_is_ready
    a_draining_program_is_not_ready
    the_admin_server_does_what_the_terminal_does
    what_a_dead_program_left_goes_on_when_it_is_asked_for
    strangers_are_kept_from_the_admin_server
    the_token_is_asked_for_and_never_told
    the_admin_server_is_refused_where_anybody_could_reach_it
}

fn a_program_says_what_it_serves_and_where() {
    let mut program = Program::start(&["--port", "0"]);

    assert_eq!(program.line(), "started");
    let first = program.line();
    assert!(first.starts_with("Workflow executor initialized (") && first.contains("sqlite"), "{first}");
    assert_eq!(program.line(), "HTTP endpoints supported:");
    for (method, path) in [
        ("POST", "/crash/:key?"),
        ("POST", "/enqueue/:key"),
        ("GET", "/forever"),
        ("POST", "/go_on/:key/:word"),
        ("POST", "/log/:id"),
        ("POST", "/panic/:id"),
        ("POST", "/pause/:key"),
        ("GET", "/process"),
        ("POST", "/say"),
        ("GET", "/slow"),
        ("POST", "/use_and_crash"),
        ("GET", "/used"),
        ("POST", "/wait/:id"),
    ] {
        assert_eq!(program.line(), format!("    {method:<8}:  {path}"));
    }
    let server = program.line();
    let url = server.strip_prefix("DBOS Server is running at ").expect("the address of the server");
    assert!(url.starts_with("http://localhost:"), "{url}");
    assert_eq!(program.line(), format!("OpenAPI document at {url}/openapi.json"));
    assert_eq!(program.line(), format!("Routes to read and try at {url}/docs"));

    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start(&["--port", "0"]);
        program.port();
        program.signal(signal);
        assert_eq!(program.end(), Some(0));
    }
}

fn the_routes_are_told_of_where_the_settings_say() {
    let status = |port, path: &str| {
        let answer = process::answer(process::ask(port, "GET", path)).expect("an answer");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };

    let mut elsewhere = Program::start(&["--port", "0", "--openapi-path", "/api.json", "--docs-path", "/read/me"]);
    let port = elsewhere.port();
    assert!(elsewhere.line().ends_with("/api.json"));
    assert!(elsewhere.line().ends_with("/read/me"));
    assert_eq!(["/api.json", "/read/me", "/openapi.json"].map(|path| status(port, path)), ["200", "200", "404"]);

    let mut silent = Program::start(&["--port", "0", "--openapi=false"]);
    let port = silent.port();
    assert_eq!(["/openapi.json", "/docs", "/process"].map(|path| status(port, path)), ["404", "404", "200"]);
}

fn open_requests_are_answered_before_the_end() {
    let mut program = Program::start(&["--port", "0"]);
    let port = program.port();
    let asked = process::ask(port, "GET", "/slow");
    program.wait_for("asked");

    program.signal(Signal::TERM);

    assert!(process::answer(asked).expect("an answer").ends_with("slow"));
    assert_eq!(program.end(), Some(0));
}

fn a_second_signal_ends_at_once() {
    let mut program = Program::start(&["--port", "0"]);
    let port = program.port();
    let _open = process::ask(port, "GET", "/forever");
    program.wait_for("asked");

    program.signal(Signal::TERM);
    program.wait_for_log("signal again");
    program.signal(Signal::TERM);

    assert_eq!(program.end(), Some(130));
}

fn a_crash_is_followed_by_a_restart() {
    let mut program = Program::supervised(&["--port", "0"]);
    let port = program.port();
    let first = process::get(port, "/process");

    process::answer(process::ask(port, "POST", "/crash"));

    program.wait_for_log("died: exit status: 1; restarting it");
    let second = process::get(program.port(), "/process");
    assert_ne!(first, second);
    program.signal(Signal::TERM);
    assert_eq!(program.end(), Some(0));
}

fn a_killed_child_is_followed_by_a_restart() {
    let mut program = Program::supervised(&["--port", "0"]);
    let child = process::get(program.port(), "/process");

    process::kill(&child, Signal::KILL);

    assert_ne!(process::get(program.port(), "/process"), child);
    program.signal(Signal::INT);
    assert_eq!(program.end(), Some(0));
}

fn a_stopped_supervisor_takes_its_child_along() {
    let mut program = Program::supervised(&["start", "--port", "0"]);
    let port = program.port();
    let asked = process::ask(port, "GET", "/slow");
    program.wait_for("asked");

    program.signal(Signal::TERM);

    assert!(process::answer(asked).expect("an answer").ends_with("slow"));
    assert_eq!(program.end(), Some(0));
    assert!(process::is_free(port));
}

fn a_second_signal_to_the_supervisor_ends_both_at_once() {
    let mut program = Program::supervised(&["--port", "0"]);
    let port = program.port();
    let _open = process::ask(port, "GET", "/forever");
    program.wait_for("asked");

    program.signal(Signal::TERM);
    process::wait_until(|| process::is_free(port));
    program.signal(Signal::TERM);

    assert_eq!(program.end(), Some(130));
}

fn a_killed_supervisor_leaves_nothing_behind() {
    let mut program = Program::supervised(&["--port", "0"]);
    let port = program.port();
    let child = process::get(port, "/process");

    program.signal(Signal::KILL);

    assert_eq!(program.end(), None);
    process::wait_until(|| process::is_gone(&child));
    assert!(process::is_free(port));
}

fn a_busy_port_is_one_sentence_and_no_loop() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for mut program in [Program::start(&["--port", &port]), Program::supervised(&["--port", &port])] {
        assert_eq!(program.end(), Some(2));
        let said = program.said();
        assert!(said.starts_with(&format!("program: cannot listen on 127.0.0.1:{port}: another program")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

fn a_program_out_of_files_answers_again_once_it_has_some() {
    let mut program = Program::start(&["--port", "0"]);
    let port = program.port();
    process::get(port, "/process");

    let allowed = program.allow_files(program.open_files() + 4);
    let held: Vec<_> = (0..20).map(|_| process::ask(port, "GET", "/forever")).collect();
    program.wait_for_log("cannot accept connections");
    program.allow_files(allowed);
    drop(held);

    process::get(port, "/process");
}

fn a_recovered_workflow_finds_what_main_has_set_up() {
    let mut program = Program::start_with(&["--port", "0"], &[(SUPERVISED, "1"), (SLOW_TO_START, "1")]);
    let port = program.port();

    process::answer(process::ask(port, "POST", "/use_and_crash"));

    assert_eq!(process::get(program.port(), "/used"), "set up");
}

fn mistakes_in_the_settings_are_one_sentence() {
    for (flag, value) in [
        ("--config", "missing.toml"),
        ("--host", "no.such.host.invalid"),
        ("--log", "program=loud"),
        ("--database-url", "nonsense"),
        ("--database-url", "sqlite:no/such/folder/program.sqlite"),
        ("--database-url", "postgres://shop:hunter2@127.0.0.1:1/shop"),
    ] {
        let words = ["--port", "0", flag, value];
        let mut program = Program::supervised(&words);
        assert_eq!(program.end(), Some(2), "{words:?}");
        let said = program.said();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let mut program = Program::start(&["--prot", "1"]);
    assert_eq!(program.end(), Some(2));
    assert!(program.said().contains("a similar argument exists: '--port'"));
}

fn the_other_commands_print_and_end() {
    let mut routes = Program::supervised(&["routes"]);
    assert!(routes.line().starts_with("POST    /crash/:key?       crash  "));
    assert_eq!(routes.end(), Some(0));
    let mut functions = Program::start(&["functions"]);
    assert_eq!(functions.end(), Some(0));
    let listed = functions.rest();
    let names: Vec<_> = listed.lines().map(|line| line.split_whitespace().nth(1).unwrap_or_default()).collect();
    assert_eq!(
        names,
        [
            "inner",
            "nothing",
            "outer",
            "panicking",
            "patient",
            "uses_what_main_set_up",
            "waits",
            "knock",
            "nothing_much"
        ],
        "{listed}"
    );
    assert!(listed.starts_with("workflow     inner"), "{listed}");
    let mut migrate = Program::start(&["migrate"]);
    assert_eq!(migrate.line(), "The database is up to date");
    assert_eq!(migrate.end(), Some(0));
    let mut version = Program::start(&["--version"]);
    assert_eq!(version.line(), "program 1.2.3");
    assert_eq!(version.end(), Some(0));
    let mut help = Program::start(&["--help"]);
    help.wait_for("Usage: program [OPTIONS] [COMMAND]");
    assert_eq!(help.end(), Some(0));
}

fn the_settings_in_force_are_shown_with_their_sources() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |words: &[&str]| {
        let file = "pool_size = 5\ndatabase_url = \"postgres://shop:hunter2@localhost/shop?password=hunter2\"";
        std::fs::write(folder.path().join("dbos.toml"), file).expect("a file");
        Program::start_in(folder.path(), words, &[("PORT", "8080"), ("DBOS_POLSIZE", "7"), ("DBOS_POOL_SIZ", "7")])
    };

    let mut table = start(&["config", "--drain-seconds", "5"]);
    assert_eq!(table.end(), Some(0));
    let lines = table.rest();
    let line = |name: &str| {
        let line = lines.lines().find(|line| line.split_whitespace().next() == Some(name)).expect(name);
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("drain_seconds"), "5 the flag --drain-seconds");
    assert_eq!(line("port"), "8080 the environment variable PORT");
    assert_eq!(line("pool_size"), "5 dbos.toml, line 1");
    assert_eq!(line("database_url"), "postgres://shop:****@localhost/shop?password=**** dbos.toml, line 2");
    assert_eq!(line("host"), "127.0.0.1 default");
    let said = table.said();
    assert!(said.contains("DBOS_POOL_SIZ is not known; did you mean DBOS_POOL_SIZE?"), "{said}");

    let mut json = start(&["config", "--json", "--no-supervise"]);
    assert_eq!(json.end(), Some(0));
    let settings: serde_json::Value = serde_json::from_str(&json.rest()).expect("JSON");
    assert_eq!(settings["port"], serde_json::json!({ "value": 8080, "source": "the environment variable PORT" }));
    assert_eq!(settings["hosts"], serde_json::json!({ "value": [], "source": "default" }));

    for printed in [lines, said, settings.to_string()] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

fn a_setting_that_is_none_is_named_with_its_neighbour() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dbos.toml"), "\npol_size = 5").expect("a file");

    let mut program = Program::start_in(folder.path(), &["start"], &[]);

    assert_eq!(program.end(), Some(2));
    assert_eq!(program.said(), "program: dbos.toml, line 2: there is no setting `pol_size`; did you mean `pool_size`?");
}

/// Between two looks at something outside that gives no sign.
fn pause() {
    sleep(Duration::from_millis(10));
}

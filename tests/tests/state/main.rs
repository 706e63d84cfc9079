//! What functions ask for with `#[state]`. They have a program of their own, because each launch of a program must provide
//! all that its functions ask for.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests are not replayed, and panic when they fail")]

use std::process::ExitCode;

use dbos::{Config, DBOS, Engine, Error, Result, step, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::http::get;
use dbos_testkit::{App, Database, Process, Program, behaviours};

behaviours! { state:
    functions_of_each_kind_get_what_main_has_provided,
    a_program_that_does_not_provide_it_is_refused_and_told_who_needs_what,
    each_engine_has_what_it_was_given,
    a_recovered_workflow_gets_it_again,
    a_launch_without_it_is_refused,
}

fn main() -> ExitCode {
    dbos_testkit::main(&[CASES])
}

fn mailer(database: &Database) -> Program {
    Program::new(env!("CARGO_BIN_EXE_mailer")).arg("--port").arg("0").env("DBOS_DATABASE_URL", database.url())
}

async fn address(process: &Process) -> String {
    let line = process.wait_for_line("is running at").await;
    line.split_whitespace().last().unwrap().to_owned()
}

async fn functions_of_each_kind_get_what_main_has_provided(database: Database) {
    let process = mailer(&database).env("PROVIDE", "ann").env("GREET", "1").start();

    let greeted = process.wait_for_line("greeted").await;
    assert!(greeted.ends_with("greeted: ann to bob, 0; from ann; ann"), "{greeted}");
    let answer = get(format!("{}/sender", address(&process).await)).await.unwrap();
    assert_eq!(answer.body, "ann");
    // It is no argument: nothing of it is stored.
    let inputs = database.value("SELECT inputs FROM dbos.workflow_input").await.unwrap();
    assert_eq!(inputs, r#"{"positionalArgs":[],"namedArgs":{"to":"bob"}}"#);
}

async fn a_program_that_does_not_provide_it_is_refused_and_told_who_needs_what(database: Database) {
    let process = mailer(&database).start();

    let refusal = process.wait_for_line("nobody has provided").await;
    for need in ["`greet` at ", "`mail` at ", "`sender` at ", "`sender_of` at ", "mailer::Mailer`", "mailer::Counter`"]
    {
        assert!(refusal.contains(need), "no {need} in {refusal}");
    }
    assert!(!process.lines().iter().any(|line| line.contains("is running at")));
}

struct Tariff(u32);

#[step]
async fn price(#[state] tariff: &Tariff, pieces: u32) -> u32 {
    tariff.0 * pieces
}

#[step]
async fn state_waits(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn sells(gate: String, pieces: u32) -> Result<u32> {
    state_waits(&gate).await;
    Ok(price(pieces).await)
}

fn config(database: &Database, tariff: u32) -> Config {
    Config::new("state").database_url(database.url()).provide(Tariff(tariff))
}

async fn each_engine_has_what_it_was_given(database: Database) {
    let (cheap, dear) = (App::launch(config(&database, 1)).await, App::launch(config(&database, 100)).await);
    let gate = unique("sells");
    open(&gate);

    for (app, sum) in [(&cheap, 3), (&dear, 300)] {
        assert_eq!(app.run(async { sells(gate.clone(), 3).await }).await.unwrap(), sum);
        assert_eq!(app.run(price(3)).await, sum);
    }
}

async fn a_recovered_workflow_gets_it_again(database: Database) {
    let mut app = App::launch(config(&database, 5)).await;
    let gate = unique("sells");

    app.run(async { DBOS::start_workflow(sells(gate.clone(), 2)).workflow_id("s").await }).await.unwrap();
    reached(&gate).await;
    app.crash().await;
    open(&gate);
    app.relaunch().await;

    assert_eq!(app.result::<Result<u32>>("s").await.unwrap(), 10);
}

async fn a_launch_without_it_is_refused(database: Database) {
    let refused = Engine::launch(Config::new("state").database_url(database.url())).await;

    let Err(Error::Configuration(message)) = refused else { panic!("{refused:?}") };
    assert!(message.starts_with("`price` at ") && message.contains("state::Tariff`"), "{message}");
    assert!(database.try_query("SELECT * FROM dbos.workflow_status").await.is_err(), "before anything is done");
}

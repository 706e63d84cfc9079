//! Code that changed between two starts of a program.

use dbos_testkit::{Database, Process, Program, behaviours};

behaviours! { new_code:
    an_edit_leaves_the_open_workflows_it_concerns_and_says_so,
    a_row_without_a_name_stops_no_launch,
    new_code_takes_old_workflows_over_under_their_version,
    the_version_is_the_same_in_every_build on sqlite,
}

const CLERK: &str = env!("CARGO_BIN_EXE_clerk");
const EDITED: &str = env!("CARGO_BIN_EXE_clerk_edited");

/// What the code of `clerk` adds up to, whatever compiled it and how.
const VERSION: &str = "clerk-df316e32ee78a5cf";

fn program(path: &str, database: &Database) -> Program {
    Program::new(path).arg("--port").arg("0").env("DBOS_DATABASE_URL", database.url())
}

/// Starts three workflows, two of which the edit concerns, and kills their process.
async fn leave_three_behind(database: &Database) {
    let clerk = program(CLERK, database).env("FILE", "letter-1 letter-2").env("SORT", "pile").start();
    clerk.wait_for_line("is running at").await;
    clerk.kill().await;
}

fn recovered(process: &Process, workflow: &str) -> bool {
    let span = format!("dbos.workflow.id=\"{workflow}\"");
    process.lines().iter().any(|line| line.contains("recovering workflow") && line.contains(&span))
}

async fn an_edit_leaves_the_open_workflows_it_concerns_and_says_so(database: Database) {
    leave_three_behind(&database).await;

    let edited = program(EDITED, &database).start();

    let warning = edited.wait_for_line("open workflows wait").await;
    assert!(
        warning.contains(&format!("for version `{VERSION}`, whose code differs: 2 of `file_letter`;")),
        "{warning}"
    );
    assert!(warning.contains(&format!("launch it under the application version `{VERSION}`")), "{warning}");
    // Only its looks have changed.
    edited.wait_for_line("recovering workflow").await;
    assert!(recovered(&edited, "pile"), "{:#?}", edited.lines());
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts > 1").await, 1);
}

async fn a_row_without_a_name_stops_no_launch(database: Database) {
    leave_three_behind(&database).await;
    database.execute("UPDATE dbos.workflow_status SET name = NULL WHERE workflow_uuid = 'letter-2'").await;

    let edited = program(EDITED, &database).start();

    edited.wait_for_line("is running at").await;
    edited.wait_for_line("1 of ``, 1 of `file_letter`;").await;
}

async fn new_code_takes_old_workflows_over_under_their_version(database: Database) {
    leave_three_behind(&database).await;

    let edited = program(EDITED, &database).arg("--application-version").arg(VERSION).start();

    edited.wait_for_line_number(3, "recovering workflow").await;
    for workflow in ["letter-1", "letter-2", "pile"] {
        assert!(recovered(&edited, workflow), "{:#?}", edited.lines());
    }
}

async fn the_version_is_the_same_in_every_build(database: Database) {
    let clerk = program(CLERK, &database).start();

    let line = clerk.wait_for_line("Workflow executor initialized").await;

    assert!(line.contains(&format!("version {VERSION},")), "{line}");
}

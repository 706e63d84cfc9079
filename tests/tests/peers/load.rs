//! Applications in Python, TypeScript and Rust on one database, with more work than they have done when each of them is
//! killed once.

use dbos_testkit::{Database, Process, behaviours};

use crate::installed::{application, neighbour};

behaviours! { load:
    each_does_its_own_work_whoever_is_killed on postgres within 600,
}

/// Names how many workflows there are in each language, for those who want fewer or more.
const VARIABLE: &str = "DBOS_PEERS_WORKFLOWS";
const WORKFLOWS: usize = 3000;

/// The applications, and the queue of each.
const APPLICATIONS: [(&str, &str); 3] =
    [("python", "python-letters"), ("typescript", "typescript-letters"), ("neighbour", "letters")];

async fn start(application_name: &str, database: &Database) -> Process {
    match application_name {
        "python" => application("python/app.py", application_name, database).await,
        "typescript" => application("typescript/app.mjs", application_name, database).await,
        _ => neighbour(database).await,
    }
}

async fn each_does_its_own_work_whoever_is_killed(database: Database) {
    let each: usize = std::env::var(VARIABLE).map_or(WORKFLOWS, |count| count.parse().unwrap());
    let part = each.div_ceil(APPLICATIONS.len());
    let mut running = Vec::new();
    for (name, _) in APPLICATIONS {
        running.push(start(name, &database).await);
    }

    for (turn, (victim, _)) in APPLICATIONS.into_iter().enumerate() {
        for (name, queue) in APPLICATIONS {
            enqueue(&database, name, queue, turn * part..(turn + 1) * part).await;
        }
        in_the_middle_of(&database, victim, turn * part + part / 4).await;
        running[turn].kill().await;
        running[turn] = start(victim, &database).await;
    }

    let all = i64::try_from(APPLICATIONS.len() * APPLICATIONS.len() * part).unwrap();
    database.until_count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'", all).await;
    for (name, wrong) in [
        ("left behind", "status <> 'SUCCESS'"),
        ("of another application than it was for", "workflow_uuid NOT LIKE application_name || '-%'"),
        (
            "run elsewhere",
            "CASE WHEN application_name = 'neighbour' THEN executor_id IN ('python', 'typescript')
                                ELSE executor_id <> application_name END",
        ),
        (
            "without its two steps",
            "2 <> (SELECT count(*) FROM dbos.operation_outputs AS step
                                          WHERE step.workflow_uuid = workflow_status.workflow_uuid)",
        ),
    ] {
        let found = database.query(&format!("SELECT workflow_uuid FROM dbos.workflow_status WHERE {wrong}")).await;
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// In the way of plain SQL, to the queue of the application and to the one that all of them share.
async fn enqueue(database: &Database, name: &str, queue: &str, numbers: std::ops::Range<usize>) {
    database
        .execute(&format!(
            "SELECT dbos.enqueue_workflow('work', CASE WHEN number % 10 = 0 THEN '_dbos_internal_queue' ELSE '{queue}' END,
                                          ARRAY[to_json(number)], workflow_id => '{name}-' || number,
                                          application_name => '{name}')
               FROM generate_series({}, {}) AS number",
            numbers.start,
            numbers.end - 1
        ))
        .await;
}

/// Waits until at least so many of its workflows have ended.
async fn in_the_middle_of(database: &Database, name: &str, ended: usize) {
    let enough = format!(
        "SELECT count(*)
           FROM (SELECT 1 FROM dbos.workflow_status WHERE status = 'SUCCESS' AND application_name = '{name}') AS done
         HAVING count(*) >= {ended}"
    );
    database.until_count(&format!("SELECT count(*) FROM ({enough}) AS reached"), 1).await;
}

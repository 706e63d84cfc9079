//! Sagas: what has been done is undone, last first, if what follows fails.

use dbos::{DBOS, Error, Result, Saga, Tx, step, transaction, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{config, steps};

behaviours! { saga:
    what_was_done_is_undone_last_first_when_the_work_fails,
    nothing_is_undone_when_the_work_succeeds,
    a_panic_undoes_as_well,
    a_compensation_that_fails_does_not_stop_the_others,
    each_is_undone_once_wherever_it_crashes within 240,
    a_cancelled_workflow_undoes_nothing,
}

const TABLE: &str = "CREATE TABLE bookings (what TEXT NOT NULL, change INTEGER NOT NULL)";

#[transaction]
async fn book(tx: &mut Tx, what: String, change: i64) -> Result<()> {
    tx.query("INSERT INTO bookings (what, change) VALUES ($1, $2)").bind(what).bind(change).execute().await?;
    Ok(())
}

#[step]
async fn saga_ends(how: String) -> Result<()> {
    match how.as_str() {
        "well" => Ok(()),
        "with a panic" => panic!("no hotel"),
        gate if gate.starts_with("gate") => {
            pass(gate).await;
            Ok(())
        }
        _ => Err(Error::new("no hotel")),
    }
}

#[step]
async fn cannot_undo() -> Result<()> {
    Err(Error::new("it is too late"))
}

/// Books a flight and a car, and ends as it is told.
#[workflow]
async fn travels(how: String) -> Result<String> {
    let saga = Saga::new();
    saga.run(async {
        book("flight".to_owned(), 1).await?;
        saga.compensate(|| book("flight".to_owned(), -1));
        if how == "badly undone" {
            saga.compensate(cannot_undo);
        }
        book("car".to_owned(), 1).await?;
        saga.compensate(|| book("car".to_owned(), -1));
        saga_ends(how).await?;
        Ok("booked".to_owned())
    })
    .await
}

async fn travelled(database: &Database, how: &str) -> (Result<String>, Vec<String>) {
    let app = App::launch(config(database)).await;
    database.execute(TABLE).await;
    let result = app.run(async { travels(how.to_owned()).workflow_id("t").await }).await;
    let names = steps(database, "t").await.into_iter().map(|(_, name)| name).collect();
    (result, names)
}

async fn booked(database: &Database) -> i64 {
    database.count("SELECT CAST(COALESCE(sum(change), 0) AS BIGINT) FROM bookings").await
}

async fn what_was_done_is_undone_last_first_when_the_work_fails(database: Database) {
    let (result, names) = travelled(&database, "badly").await;

    assert_eq!(result.unwrap_err().to_string(), "no hotel");
    assert_eq!(names, ["book", "book", "saga_ends", "book", "book"]);
    let order = database.query("SELECT what, change FROM bookings").await;
    let order = order.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "));
    assert_eq!(order.collect::<Vec<_>>(), ["flight 1", "car 1", "car -1", "flight -1"]);
}

async fn nothing_is_undone_when_the_work_succeeds(database: Database) {
    let (result, names) = travelled(&database, "well").await;

    assert_eq!(result.unwrap(), "booked");
    assert_eq!(names, ["book", "book", "saga_ends"]);
    assert_eq!(booked(&database).await, 2);
}

async fn a_panic_undoes_as_well(database: Database) {
    let (result, _) = travelled(&database, "with a panic").await;

    assert!(matches!(result, Err(Error::Panicked { .. })), "{result:?}");
    assert_eq!(booked(&database).await, 0);
}

async fn a_compensation_that_fails_does_not_stop_the_others(database: Database) {
    let (result, names) = travelled(&database, "badly undone").await;

    assert_eq!(result.unwrap_err().to_string(), "no hotel");
    assert_eq!(names, ["book", "book", "saga_ends", "book", "cannot_undo", "book"]);
    assert_eq!(booked(&database).await, 0);
}

async fn each_is_undone_once_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).with_tables(TABLE).run(
            async |_| travels("badly".to_owned()).workflow_id("t").await,
            async |database, result| {
                assert_eq!(result.unwrap_err().to_string(), "no hotel");
                assert_eq!(booked(database).await, 0);
                assert_eq!(database.count("SELECT count(*) FROM bookings").await, 4);
            },
        );
        // The row, four transactions, a step, the outcome.
        assert!(crashes.writes >= 7, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

async fn a_cancelled_workflow_undoes_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    database.execute(TABLE).await;
    let gate = unique("gate");

    app.run(async {
        let travel = DBOS::start_workflow(travels(gate.clone())).workflow_id("t").await.unwrap();
        reached(&gate).await;
        DBOS::cancel_workflow("t").await.unwrap();
        assert!(matches!(travel.result().await, Err(Error::Cancelled { .. })));
        open(&gate);
    })
    .await;

    assert_eq!(booked(&database).await, 2);
}

//! What went wrong, made so on purpose: the questions that other tests ask of the database find it.

use std::time::Duration;

use dbos_testkit::{Database, behaviours};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use crate::app::{doubled, with_orders};
use crate::dropped::no_transaction_is_open;
use crate::two_processes::Place;

behaviours! { planted:
    an_order_that_was_placed_twice_is_found,
    a_walk_that_passed_twice_is_found,
    a_walk_that_never_passed_is_found,
    a_transaction_that_was_left_open_is_found on postgres,
}

async fn an_order_that_was_placed_twice_is_found(database: Database) {
    with_orders(&database).await;
    database.execute("INSERT INTO orders VALUES ('one', 'tea'), ('two', 'tea'), ('two', 'milk')").await;
    assert!(doubled(&database).await.is_empty());

    database.execute("INSERT INTO orders VALUES ('two', 'tea')").await;

    assert_eq!(doubled(&database).await, [["two", "tea"].map(|text| Some(text.to_owned()))]);
}

/// Whether these rows of `passed` are taken for one walk that passed once.
async fn are_one_passage(database: Database, rows: &str) -> bool {
    let place = Place::new(database).await;
    place.database.execute("INSERT INTO passed VALUES ('walk-0', 1)").await;
    place.assert_each_passed_once(1).await;
    place.database.execute(rows).await;
    tokio::spawn(async move { place.assert_each_passed_once(1).await }).await.is_ok()
}

async fn a_walk_that_passed_twice_is_found(database: Database) {
    assert!(!are_one_passage(database, "INSERT INTO passed VALUES ('walk-0', 2)").await);
}

async fn a_walk_that_never_passed_is_found(database: Database) {
    assert!(!are_one_passage(database, "DELETE FROM passed").await);
}

async fn a_transaction_that_was_left_open_is_found(database: Database) {
    no_transaction_is_open(&database).await;
    let mut forgetful = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT 1").execute(&mut forgetful).await.unwrap();

    let found = timeout(Duration::from_millis(500), no_transaction_is_open(&database)).await.is_err();

    assert!(found);
}

//! Launches on a database that nobody has used before: many at once, held up, or killed half-way.

use std::time::Duration;

use dbos::Engine;
use dbos_testkit::{Backend, Database, Fault, Process, Program, Proxy, behaviours};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::time::{sleep, timeout};

use crate::app::config;
use crate::two_processes::{ENDED, Place, WALKER};

behaviours! { first_launch:
    eight_processes_may_be_the_first_at_once within 180,
    eight_processes_may_find_no_database_at_once on postgres within 180,
    a_held_migration_lock_is_waited_for within 120,
    a_launch_killed_at_any_time_is_made_good_by_the_next within 180,
    a_launch_killed_before_its_tables_are_committed_leaves_none on postgres within 120,
}

const LEASE: Duration = Duration::from_secs(5);

const NAMES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

/// Launches all of them at the same time.
async fn launch_eight(place: &Place, url: &str) -> Vec<Process> {
    let launches = NAMES.map(|name| place.launch_on(url, Program::new(WALKER), name, LEASE));
    futures_util::future::join_all(launches).await
}

async fn eight_processes_may_be_the_first_at_once(database: Database) {
    let place = Place::with_no_tables(database);
    let processes = launch_eight(&place, place.database.url()).await;

    place.create_passed().await;
    place.open_gate();
    for name in NAMES {
        place.ask(name, &format!("walk-{name}"));
    }

    place.database.until_count(ENDED, 8).await;
    place.assert_each_passed_once(8).await;
    assert_eq!(place.database.count("SELECT count(*) FROM dbos_rust.executors").await, 8);
    assert!(processes.iter().all(|process| process.status().is_none()), "all of them live");
}

async fn eight_processes_may_find_no_database_at_once(database: Database) {
    let name = database.value("SELECT current_database()").await.unwrap();
    let place = Place::with_no_tables(database);
    let url = place.database.url().replace(&name, &format!("{name}_new"));

    let processes = launch_eight(&place, &url).await;

    drop(processes);
    place.database.execute(&format!("DROP DATABASE {name}_new WITH (FORCE)")).await;
}

async fn a_held_migration_lock_is_waited_for(database: Database) {
    // Longer than a statement may take.
    const HELD: Duration = Duration::from_secs(6);
    let launch = Engine::launch(config(database.url()));
    let held = async {
        match database.backend() {
            Backend::Sqlite => {
                let mut holder = SqliteConnection::connect(&format!("{}?mode=rwc", database.url())).await.unwrap();
                sqlx::raw_sql("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
                sleep(HELD).await;
                sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
            }
            Backend::Postgres => {
                let mut holder = PgConnection::connect(database.url()).await.unwrap();
                sqlx::raw_sql("SELECT pg_advisory_lock(1234567890)").execute(&mut holder).await.unwrap();
                sleep(HELD).await;
                holder.close().await.unwrap();
            }
        }
    };
    tokio::pin!(launch);
    let (launched, ()) = tokio::join!(
        async {
            sleep(Duration::from_millis(500)).await;
            launch.await
        },
        held
    );

    launched.expect("it was worth waiting").shutdown().await;
}

async fn a_launch_killed_at_any_time_is_made_good_by_the_next(database: Database) {
    let backend = database.backend();
    for number in 0..12 {
        let place = Place::with_no_tables(Database::fresh(backend).await);
        let url = place.database.url().to_owned();
        let launch = place.launch_on(&url, Program::new(WALKER), "killed", LEASE);
        // Dropping it kills it.
        timeout(Duration::from_millis(15 * number), launch).await.ok();

        let _next = place.launch("next", LEASE).await;

        place.create_passed().await;
        place.open_gate();
        place.ask("next", "walk");
        place.database.until_count(ENDED, 1).await;
    }
}

async fn a_launch_killed_before_its_tables_are_committed_leaves_none(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    proxy.arm(Fault::at("CREATE TABLE dbos_rust.executors").silencing_the_reply());
    let place = Place::with_no_tables(database);
    let launch = place.launch_on(proxy.url(), Program::new(WALKER), "killed", LEASE);
    tokio::select! {
        _ = launch => panic!("it was launched without its tables"),
        () = proxy.struck(1) => {}
    }
    drop(proxy);

    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('dbos', 'dbos_rust')";
    let sessions = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    place.database.until_count(sessions, 0).await;
    assert_eq!(place.database.count(tables).await, 0);
    let _next = place.launch("next", LEASE).await;
}

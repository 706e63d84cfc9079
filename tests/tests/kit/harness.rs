use dbos_testkit::{Database, Program, behaviours};

behaviours! { harness:
    an_error_returned_counts_like_a_panic on nothing,
    a_behaviour_on_both_databases,
    without_postgres_its_trials_are_ignored on nothing,
    without_postgres_ci_fails on nothing,
}

async fn an_error_returned_counts_like_a_panic() {
    let failure = dbos_testkit::running(async { Err::<(), _>("no reply") }).await;

    assert_eq!(failure, Err("no reply".to_owned()));
}

async fn a_behaviour_on_both_databases(database: Database) {
    assert_eq!(database.count("SELECT 1").await, 1);
}

async fn without_postgres_its_trials_are_ignored() {
    let trial = this_binary_without_postgres().env_remove("CI").start();

    trial.wait_for_line("1 passed; 0 failed; 1 ignored").await;
    assert!(trial.wait().await.success());
}

async fn without_postgres_ci_fails() {
    let trial = this_binary_without_postgres().env("CI", "true").start();

    trial.wait_for_line("no Postgres").await;
    assert!(!trial.wait().await.success());
}

fn this_binary_without_postgres() -> Program {
    this_binary().env("PG_BIN", "/nonexistent").arg("a_behaviour_on_both_databases")
}

fn this_binary() -> Program {
    Program::new(std::env::current_exe().expect("this test has a binary"))
}

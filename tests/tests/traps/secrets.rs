//! Passwords, and where they must not turn up.

use dbos_testkit::{Process, Program, Server, behaviours};
use sqlx::{Connection, Executor, PgConnection};

behaviours! { secrets:
    a_wrong_password_is_refused_and_shown_nowhere on server,
    the_right_password_is_shown_nowhere_either on server,
}

const CLERK: &str = env!("CARGO_BIN_EXE_clerk");
const RIGHT: &str = "open-sesame";
const WRONG: &str = "hunter2";

/// Makes the server ask for passwords; gives its URL with `password` in it.
async fn ask_for_passwords(server: &Server, password: &str) -> String {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let hba: String = sqlx::query_scalar("SHOW hba_file").fetch_one(&mut connection).await.unwrap();
    let rule = format!("COPY (SELECT 'host all all 127.0.0.1/32 scram-sha-256') TO '{hba}'");
    connection.execute(sqlx::AssertSqlSafe(format!("ALTER ROLE postgres PASSWORD '{RIGHT}'"))).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(rule)).await.unwrap();
    connection.execute("SELECT pg_reload_conf()").await.unwrap();
    // The server reads its rules some time after it was told to.
    while PgConnection::connect(&server.url()).await.is_ok() {}
    server.url().replace("postgres@", &format!("postgres:{password}@"))
}

fn program(url: &str) -> Program {
    // The longest log there is.
    Program::new(CLERK).env("DBOS_DATABASE_URL", url).env("RUST_LOG", "trace").arg("--port").arg("0")
}

fn assert_unseen(password: &str, process: &Process) {
    let lines = process.lines();
    assert!(!lines.is_empty());
    assert!(!lines.iter().any(|line| line.contains(password)), "{}", lines.join("\n"));
}

async fn a_wrong_password_is_refused_and_shown_nowhere(server: Server) {
    let url = ask_for_passwords(&server, WRONG).await;
    // A parameter that the driver does not know may be a misspelt password.
    for url in [url.clone(), format!("{url}?pasword={WRONG}")] {
        let clerk = program(&url).start();

        assert_eq!(clerk.wait().await.code(), Some(2));

        clerk.wait_for_line("password authentication failed").await;
        assert_unseen(WRONG, &clerk);
        let config = program(&url).arg("config").start();
        assert_eq!(config.wait().await.code(), Some(0));
        config.wait_for_line("postgres://postgres:****@127.0.0.1").await;
        assert_unseen(WRONG, &config);
    }
}

async fn the_right_password_is_shown_nowhere_either(server: Server) {
    let url = ask_for_passwords(&server, RIGHT).await;
    let clerk = program(&url).env("FILE", "letter").start();
    clerk.wait_for_line("is running at").await;

    clerk.terminate();

    assert_eq!(clerk.wait().await.code(), Some(0));
    assert_unseen(RIGHT, &clerk);
}

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dbos_testkit::{Database, Program, Server, behaviours};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

behaviours! { server:
    what_is_committed_survives_a_crash on server,
    a_stopped_server_refuses_connections on server,
    a_paused_server_says_nothing_and_goes_on on server,
    a_durable_server_flushes on durable,
    statements_can_be_counted on server,
    a_server_dies_with_a_killed_test on server,
    a_server_dies_with_a_killed_test_even_paused on server,
}

/// Makes this binary start a server and wait to be killed.
pub(crate) const CHILD: &str = "KIT_SERVER";

async fn what_is_committed_survives_a_crash(server: Server) {
    let database = Database::on_server(&server).await;
    database.execute("CREATE TABLE orders AS SELECT 1 AS id").await;

    server.stop_immediate();
    server.start();

    assert_eq!(database.count("SELECT count(*) FROM orders").await, 1);
}

async fn a_stopped_server_refuses_connections(server: Server) {
    let database = Database::on_server(&server).await;

    server.stop_immediate();

    assert!(database.try_query("SELECT 1").await.is_err());
}

async fn a_paused_server_says_nothing_and_goes_on(server: Server) {
    let database = Database::on_server(&server).await;
    let mut connection = PgConnection::connect(database.url()).await.expect("the server runs");

    server.pause();
    let mut query = Box::pin(sqlx::query("SELECT 1").execute(&mut connection));
    assert!(timeout(Duration::from_millis(200), &mut query).await.is_err());
    server.resume();

    assert!(query.await.is_ok());
}

async fn a_durable_server_flushes(server: Server) {
    let database = Database::on_server(&server).await;

    assert_eq!(database.value("SHOW fsync").await.as_deref(), Some("on"));
    assert_eq!(database.value("SHOW synchronous_commit").await.as_deref(), Some("on"));
}

async fn statements_can_be_counted(server: Server) {
    let database = Database::on_server(&server).await;
    if database.try_query("CREATE EXTENSION pg_stat_statements").await.is_err() {
        return; // Not part of every installation.
    }

    database.query("SELECT 4711").await;

    assert_eq!(database.count("SELECT calls FROM pg_stat_statements WHERE query = 'SELECT $1'").await, 1);
}

async fn a_server_dies_with_a_killed_test(_installed: Server) {
    dies_with_a_killed_test("running").await;
}

async fn a_server_dies_with_a_killed_test_even_paused(_installed: Server) {
    dies_with_a_killed_test("paused").await;
}

async fn dies_with_a_killed_test(server: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    make_writable(folder.path());
    let this_binary = std::env::current_exe().expect("this test has a binary");
    let child = Program::new(this_binary).env(CHILD, server).env("TMPDIR", folder.path()).start();
    let line = child.wait_for_line("postgres://").await;
    let address = line.split(['@', '/']).nth(3).expect("a host and port").to_owned();
    assert_eq!(files_in(folder.path()), 1);

    child.kill().await;

    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while files_in(folder.path()) > 0 {
        looks.tick().await;
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// The other end of the tests above.
pub(crate) fn run_until_killed() -> ExitCode {
    let server = Server::own().expect("Postgres is installed");
    if std::env::var(CHILD).is_ok_and(|mode| mode == "paused") {
        server.pause();
    }
    println!("{}", server.url());
    loop {
        std::thread::park();
    }
}

fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("our own folder");
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("our own folder").count()
}

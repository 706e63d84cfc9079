//! What a program says of itself while its database is away.

use dbos_testkit::{Database, Program, Proxy, behaviours, free_port, http};
use tempfile::TempDir;

use crate::two_processes::WALKER;

behaviours! { health:
    a_program_that_has_lost_its_database_lives_and_is_not_ready on postgres,
}

async fn a_program_that_has_lost_its_database_lives_and_is_not_ready(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let (folder, port) = (TempDir::new().unwrap(), free_port().to_string());
    let program = Program::new(WALKER).directory(folder.path()).arg("start").arg("--port").arg(&port);
    let program = program.env("DBOS_DATABASE_URL", proxy.url()).start();
    program.wait_for_line("is running at").await;
    let ready = async || http::get(format!("http://127.0.0.1:{port}/dbos-readyz")).await.unwrap();
    assert_eq!(ready().await.status, 200);

    proxy.swallow();
    let refused = loop {
        let answer = ready().await;
        if answer.status != 200 {
            break answer;
        }
    };
    // From the fourth second on, the lease is given up.
    let mut reasons = vec![refused];
    while reasons.len() < 3 {
        reasons.push(ready().await);
    }

    for answer in &reasons {
        assert_eq!(answer.status, 503);
    }
    assert!(reasons[0].body.contains("the database does not answer"), "{reasons:?}");
    assert!(reasons[2].body.contains("the lease in the database ran out"), "{reasons:?}");
    assert_eq!(http::get(format!("http://127.0.0.1:{port}/dbos-healthz")).await.unwrap().status, 200);
    proxy.pass();
    while ready().await.status != 200 {
        tokio::task::yield_now().await;
    }
}

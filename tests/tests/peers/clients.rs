//! Clients and command lines of other libraries, and an application in Rust.

use dbos_testkit::{Database, behaviours};

use crate::installed::{neighbour, python, succeeds, typescript};

behaviours! { clients:
    a_python_client_works_with_an_application_in_rust on postgres within 180,
    a_typescript_client_works_with_an_application_in_rust on postgres within 180,
    the_python_command_line_works_with_an_application_in_rust on postgres within 180,
    the_typescript_command_line_works_with_an_application_in_rust on postgres within 180,
}

async fn a_python_client_works_with_an_application_in_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(python("client.py", &database)).await;
}

async fn a_typescript_client_works_with_an_application_in_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(typescript("client.mjs", &database)).await;
}

async fn the_python_command_line_works_with_an_application_in_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(python("command_line.py", &database)).await;
}

async fn the_typescript_command_line_works_with_an_application_in_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(typescript("command_line.mjs", &database)).await;
}

//! Values on their way between the languages: `tests/peers/values.json` lists them as JSON, and the scripts and this file
//! those that only one language has.

use dbos_testkit::{Database, behaviours};

use crate::installed::{VALUES, neighbour, python, succeeds, typescript};

behaviours! { values:
    each_is_equal_or_refused_between_python_and_rust on postgres within 180,
    each_is_equal_or_refused_between_typescript_and_rust on postgres within 180,
}

async fn each_is_equal_or_refused_between_python_and_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(python("values.py", &database)).await;
}

async fn each_is_equal_or_refused_between_typescript_and_rust(database: Database) {
    let _neighbour = neighbour(&database).await;

    succeeds(typescript("values.mjs", &database).arg(VALUES)).await;
}

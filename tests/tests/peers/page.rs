//! The programs that `docs/interop.md` prints.

use std::path::Path;

use dbos_testkit::{Database, Program, behaviours};

use crate::installed::{libpq_url, python};

behaviours! { page:
    the_programs_of_the_page_call_each_other on postgres within 180,
}

const PAGE: &str = include_str!("../../../docs/interop.md");
const IN_PYTHON: &str = include_str!("../../peers/python/bakery.py");
const IN_RUST: &str = include_str!("../../src/bin/mill.rs");

async fn the_programs_of_the_page_call_each_other(database: Database) {
    assert!(PAGE.contains(&format!("```python\n{IN_PYTHON}```")), "docs/interop.md has another program in Python");
    let (_, in_rust) = IN_RUST.split_once("\n\n").expect("a line about it stands above it");
    assert!(PAGE.contains(&format!("```rust,no_run\n{in_rust}```")), "docs/interop.md has another program in Rust");

    let url = libpq_url(&database);
    let bakery = python("bakery.py", &database).env("DBOS_SYSTEM_DATABASE_URL", &url).start();
    bakery.wait_for_line("the bakery is open").await;
    for _ in 0..2 {
        let mill = Program::new(Path::new(env!("CARGO_BIN_EXE_mill"))).env("DBOS_SYSTEM_DATABASE_URL", &url).start();
        mill.wait_for_line("3 loaves of 1.5 kg of rye").await;
        assert!(mill.wait().await.success());
    }

    let runs = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";
    assert_eq!(database.count(runs).await, 3, "it was ordered once, by two mornings of the mill");
}

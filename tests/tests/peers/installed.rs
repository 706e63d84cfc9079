//! Where the other libraries are, and how their programs are started.

use std::path::{Path, PathBuf};

use dbos_testkit::{Database, Process, Program};

/// Names the folder into which `.ci/peers` has installed them.
pub(crate) const VARIABLE: &str = "DBOS_TEST_PEERS";

/// Values in JSON, as a list of texts.
pub(crate) const VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/values.json");

/// That folder.
pub(crate) fn peers() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

fn installed(path: &str) -> PathBuf {
    peers().expect("nothing is run without them").join(path)
}

/// A script in `tests/peers/python/`, with the database as its first argument.
pub(crate) fn python(script: &str, database: &Database) -> Program {
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python")).join(script);
    Program::new(installed("python/bin/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1")
        .arg(script)
        .arg(libpq_url(database))
}

/// A script in `tests/peers/typescript/`, as it was copied to where its packages are, likewise.
pub(crate) fn typescript(script: &str, database: &Database) -> Program {
    Program::new(installed("node")).arg(installed("typescript").join(script)).arg(libpq_url(database))
}

/// A command of the library for Python.
pub(crate) fn command(name: &str, database: &Database) -> Program {
    Program::new(installed("python/bin/dbos")).arg(name).arg("--sys-db-url").arg(libpq_url(database))
}

/// Where a database is, as other libraries spell it.
pub(crate) fn libpq_url(database: &Database) -> String {
    match database.path() {
        Some(file) => format!("sqlite:///{}", file.display()),
        // The rest are words that only our driver understands.
        None => database.url().split('?').next().expect("a text has a beginning").to_owned(),
    }
}

/// The application in Rust that is there for the others.
pub(crate) async fn neighbour(database: &Database) -> Process {
    let process = Program::new(env!("CARGO_BIN_EXE_neighbour")).env("DATABASE", database.url()).start();
    process.wait_for_line("ready").await;
    process
}

/// An application of another language, under this name.
pub(crate) async fn application(script: &str, name: &str, database: &Database) -> Process {
    let program = match script.split_once('/').expect("a script stands in the folder of its language") {
        ("python", script) => python(script, database),
        (_, script) => typescript(script, database),
    };
    let process = program.arg(name).start();
    process.wait_for_line("ready").await;
    process
}

/// Waits for the end of a script that checks something, and shows what it has found to hold.
pub(crate) async fn succeeds(script: Program) {
    let process = script.start();
    let status = process.wait().await;
    let said = process.all_lines().await.join("\n");
    assert!(status.success(), "{said}");
    said.lines().filter(|line| line.starts_with("ok ")).for_each(|line| println!("{line}"));
}

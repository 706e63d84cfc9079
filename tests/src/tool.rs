//! Programs for tests that are their own tools, as generated ones are.

use std::process::ExitCode;

use dbos::__private::{Application, Migrations, run};
use dbos::Result;

/// The `main` of such a program: with arguments it is the command line of `name`, without any it does `work`.
///
/// # Panics
///
/// If the work fails.
pub fn tool_or(name: &'static str, work: impl FnOnce() -> Result<()>) -> ExitCode {
    if std::env::args().len() > 1 {
        return run(Application {
            name,
            version: "1.0.0",
            migrations: Migrations::default(),
            port: None,
            admin_port: None,
            supervise: false,
            started: || Box::pin(async { Ok(()) }),
        });
    }
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => panic!("{error}"),
    }
}

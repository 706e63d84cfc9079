//! Runs a command with one throwaway Postgres server for all the test binaries it starts:
//! `cargo run -p dbos-testkit --bin with-postgres -- cargo test --workspace`.

use std::process::{Command, ExitCode};

use dbos_testkit::{URL_VARIABLE, shared_url};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let url = match shared_url() {
        Ok(url) => url,
        Err(unavailable) => {
            eprintln!("{unavailable}");
            return ExitCode::FAILURE;
        }
    };
    match Command::new(program).args(arguments).env(URL_VARIABLE, url).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(127)
        }
    }
}

//! The process that outlives us just long enough to clean up.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::installation::Owner;

/// Takes its orders from standard input and answers each with `done` or `failed`.
///
/// A stopped (SIGSTOP) server would never answer the last order, so it is woken first; nobody wants
/// its data any more, so it is not asked to shut down cleanly.
const GUARDIAN: &str = r#"
pg_ctl=$1 directory=$2
control() { "$pg_ctl" -D "$directory/data" "$@" </dev/null >>"$directory/log" 2>&1; }
while read -r order port; do
    case $order in
        start) control -w -o "-p $port" start ;;
        stop) control -w -m immediate stop ;;
    esac && echo done || echo failed
done
if read -r server <"$directory/data/postmaster.pid"; then
    kill -CONT "$server"
    control -w -m immediate stop
fi
rm -rf "$directory"
"#;

/// A shell that starts and stops the server.
#[derive(Debug)]
pub(super) struct Guardian {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Guardian {
    /// Starts it; it waits for orders.
    pub(super) fn spawn(binaries: &Path, directory: &Path, owner: &Owner) -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARDIAN, "guardian"]).arg(binaries.join("pg_ctl")).arg(directory);
        // A group of its own, or Ctrl-C in a terminal would end the guardian along with the test.
        command.process_group(0).current_dir(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = owner.run(&mut command).spawn()?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("standard output is piped"));
        Ok(Self { process, orders, answers })
    }

    /// Gives an order and tells whether it was carried out.
    pub(super) fn order(&mut self, order: &str) -> bool {
        let Some(orders) = &mut self.orders else {
            return false;
        };
        let mut answer = String::new();
        writeln!(orders, "{order}").is_ok() && self.answers.read_line(&mut answer).is_ok() && answer == "done\n"
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.orders.take();
        let _ = self.process.wait();
    }
}

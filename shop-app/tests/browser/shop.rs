//! The program under test, with a folder and a port of its own.

use dbos_testkit::{Process, Program, free_port, http};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A shop that is open for business. It closes when it is dropped.
pub(crate) struct Shop {
    pub(crate) url: String,
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Shop {
    /// Starts the shop with these variables in its environment.
    pub(crate) async fn open<const N: usize>(settings: [(&str, &str); N]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let process = start(&folder, port, settings).await;
        Self { url: format!("http://localhost:{port}"), port, process, folder }
    }

    /// Closes it. What is on the way stays on the way.
    pub(crate) async fn close(&self) {
        self.process.terminate();
        self.process.wait().await;
    }

    /// Opens it again after [`Shop::close`], with these variables instead.
    pub(crate) async fn reopen<const N: usize>(&mut self, settings: [(&str, &str); N]) {
        self.process = start(&self.folder, self.port, settings).await;
    }

    /// Stops the serving process in its tracks.
    pub(crate) fn pause(&self) -> Paused {
        let [server] = self.process.children()[..] else { panic!("the shop serves from one process") };
        let server = Paused(Pid::from_raw(server.cast_signed()).expect("a process has a number"));
        server.signal(Signal::STOP);
        server
    }

    /// Reserves every widget there is.
    pub(crate) async fn sell_all(&self) {
        for number in 0..self.stock().await {
            let answer = http::post(format!("{}/checkout/customer-{number}", self.url)).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }

    pub(crate) async fn stock(&self) -> i64 {
        self.read("/product").await["inventory"].as_i64().expect("the stock is a number")
    }

    /// The status of every order, first to last.
    pub(crate) async fn order_states(&self) -> Vec<i64> {
        let orders = self.read("/orders").await;
        let orders = orders.as_array().expect("a list of orders");
        orders.iter().map(|order| order["order_status"].as_i64().expect("a status is a number")).collect()
    }

    async fn read(&self, path: &str) -> Value {
        http::get(format!("{}{path}", self.url)).await.expect("an answer").json()
    }
}

async fn start<const N: usize>(folder: &TempDir, port: u16, settings: [(&str, &str); N]) -> Process {
    let program = Program::new(env!("CARGO_BIN_EXE_widget-store"));
    let program = program.directory(folder.path()).env("PORT", port.to_string());
    let process = settings.into_iter().fold(program, |program, (name, value)| program.env(name, value)).start();
    process.wait_for_line("is running at").await;
    process
}

/// A serving process that holds still.
pub(crate) struct Paused(Pid);

impl Paused {
    /// Kills it; its supervisor starts another.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).expect("the server is still there");
    }
}

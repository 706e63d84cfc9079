//! A contender's process, as the one that asks it sees it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::contender::Name;
use crate::job::{Job, Report};

/// Nobody needs longer for anything that is asked here.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Session {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// From the start of the process to when it could be used.
    pub launch_ms: f64,
}

impl Session {
    /// Starts a process of this very program and waits until it is ready to work.
    pub async fn launch(contender: Name, url: &str, job: &Job) -> Result<Self> {
        let name = contender.to_possible_value().context("a name")?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["contend", name.get_name(), url, &serde_json::to_string(job)?])
            .env("RUST_LOG", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = process.stdin.take().context("standard input is piped")?;
        let answers = BufReader::new(process.stdout.take().context("standard output is piped")?).lines();
        let mut session = Self { process, orders, answers, launch_ms: 0.0 };
        session.launch_ms = session.answer().await.with_context(|| contender.title())?;
        session.answer::<()>().await.with_context(|| contender.title())?;
        Ok(session)
    }

    /// Lets it work, to the end.
    pub async fn work(&mut self) -> Result<Report> {
        self.orders.write_all(b"go\n").await?;
        self.answer().await
    }

    /// Lets it end.
    pub async fn end(mut self) -> Result<()> {
        drop(self.orders);
        ensure!(self.process.wait().await?.success(), "a contender has failed");
        Ok(())
    }

    /// Ends it as a crash would.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    async fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line =
            tokio::time::timeout(PATIENCE, self.answers.next_line()).await.context("no answer for minutes")??;
        Ok(serde_json::from_str(&line.context("a contender has failed")?)?)
    }
}

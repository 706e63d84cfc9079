//! The real queue, to which the same happens.

use std::time::Duration;

use dbos::{Clock, DBOS};
use dbos_testkit::board::{open, unique};
use dbos_testkit::{App, Database};
use tokio::time::Instant;

use super::reference::Reference;
use super::{Allowed, Event, PERIOD};
use crate::app::{config_with, queued, text};

pub(super) struct Subject<'d> {
    database: &'d Database,
    app: App,
    clock: Clock,
    queue: String,
}

impl<'d> Subject<'d> {
    /// An engine with a queue of its own.
    pub(super) async fn launch(database: &'d Database, allowed: Allowed) -> Self {
        let (clock, queue) = (Clock::manual(), unique("modelled"));
        let app = App::launch(config_with(database, &clock)).await;
        app.run(async { DBOS::create_queue(&queue).await.unwrap() }).await;
        let subject = Self { database, app, clock, queue };
        subject.change(allowed).await;
        subject
    }

    async fn change(&self, allowed: Allowed) {
        self.app
            .run(async {
                DBOS::update_queue(&self.queue)
                    .concurrency(allowed.concurrency)
                    .worker_concurrency(allowed.worker_concurrency)
                    .partition_concurrency(allowed.partition_concurrency)
                    .rate_limit(allowed.starts, PERIOD)
                    .partition_rate_limit(allowed.partition_starts, PERIOD)
                    .await
                    .unwrap();
            })
            .await;
    }

    fn id(&self, number: usize) -> String {
        format!("{}-{number:02}", self.queue)
    }

    pub(super) async fn live_through(&mut self, event: &Event, reference: &mut Reference) {
        match event {
            Event::Put { partition, priority } => {
                let id = self.id(reference.put(*partition, *priority));
                let call = queued(id.clone()).enqueue(&self.queue).partition_key(format!("p-{partition}"));
                self.app.run(async { call.priority(*priority).workflow_id(id).await.unwrap() }).await;
            }
            Event::End(choice) => {
                if let Some(number) = chosen(&reference.running(), *choice) {
                    reference.end(number);
                    open(&self.id(number));
                }
            }
            Event::Cancel(choice) => {
                if let Some(number) = chosen(&reference.open(), *choice) {
                    reference.cancel(number);
                    self.app.run(async { DBOS::cancel_workflow(self.id(number)).await.unwrap() }).await;
                }
            }
            Event::Change(allowed) => {
                reference.change(*allowed);
                self.change(*allowed).await;
            }
            Event::Pause => {
                reference.pause();
                self.app.run(async { DBOS::pause_queue(&self.queue).await.unwrap() }).await;
            }
            Event::Resume => {
                reference.resume();
                self.app.run(async { DBOS::resume_queue(&self.queue).await.unwrap() }).await;
            }
            Event::Wait(quarters) => {
                reference.wait(*quarters);
                self.clock.advance(PERIOD * *quarters / 4);
            }
            Event::Crash => {
                reference.crash();
                self.app.crash().await;
                self.relaunch(reference.is_paused()).await;
            }
        }
    }

    /// Nothing is taken out before what the dead one ran is back in its place: which of the two a launch does first is
    /// not promised.
    async fn relaunch(&mut self, is_paused: bool) {
        let pause = "INSERT INTO dbos_rust.paused_queues (name, paused_at_ms) VALUES";
        self.database.execute(&format!("{pause} ('{}', 1) ON CONFLICT DO NOTHING", self.queue)).await;
        self.app.relaunch().await;
        let running = format!(
            "SELECT count(*) FROM dbos.workflow_status WHERE queue_name = '{}' AND status = 'PENDING'",
            self.queue
        );
        self.database.until_count(&running, 0).await;
        if !is_paused {
            self.app.run(async { DBOS::resume_queue(&self.queue).await.unwrap() }).await;
        }
    }

    /// Waits until those run that the reference says, and here: what a dead engine ran does not.
    pub(super) async fn compare(&self, reference: &Reference, patience: Duration) -> Result<(), String> {
        let here = text(&self.app.engine.executor_id());
        let expected: Vec<_> =
            reference.running().into_iter().map(|number| vec![text(&self.id(number)), here.clone()]).collect();
        let running = format!(
            "SELECT workflow_uuid, executor_id FROM dbos.workflow_status
              WHERE queue_name = '{}' AND status = 'PENDING' ORDER BY 1",
            self.queue
        );
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        let started = Instant::now();
        loop {
            looks.tick().await;
            let running = self.database.query(&running).await;
            if running == expected {
                return Ok(());
            }
            if started.elapsed() > patience {
                return Err(format!("{running:?} run, and {expected:?} should"));
            }
        }
    }

    pub(super) async fn leave(self) {
        self.app.engine.shutdown().await;
    }
}

fn chosen(numbers: &[usize], choice: usize) -> Option<usize> {
    (!numbers.is_empty()).then(|| numbers[choice % numbers.len()])
}

//! The real thing: the workflows of a history on a database, in a process that crashes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbos::{DBOS, Error, Event as DbosEvent, Failpoints, Result, Topic, Tx, step, transaction, workflow};
use dbos_testkit::board::{ran, runs_of, unique};
use dbos_testkit::{App, Database};

use super::PATIENCE;
use super::reference::{Answer, CANCELLED, Reference, State, Workflow};
use super::script::{Call, Event, History, Interruption, letter};
use crate::app::config;

const NUMBERS: Topic<u8> = Topic::new("numbers");
const PUBLISHED: DbosEvent<u8> = DbosEvent::new("published");
const LONGER_THAN_ANY_TEST: Duration = Duration::from_hours(24);

#[step]
async fn history_step(board: &str, number: u8) -> u8 {
    ran(board);
    number
}

#[transaction]
async fn history_order(tx: &mut Tx, number: u8) -> Result<u8> {
    let workflow = DBOS::workflow_id();
    let insert = "INSERT INTO history_orders (workflow, number) VALUES ($1, $2)";
    tx.query(insert).bind(workflow).bind(i64::from(number)).execute().await?;
    Ok(number)
}

#[workflow]
async fn live(program: Vec<Call>, board: String) -> Result<Vec<u8>> {
    let mut trace = Vec::new();
    for call in program {
        trace.push(match call {
            Call::Step(number) => history_step(&board, number).await,
            Call::Order(number) => history_order(number).await?,
            Call::Publish(number) => {
                DBOS::set_event(PUBLISHED, number).await?;
                number
            }
            Call::Receive => DBOS::recv(NUMBERS, LONGER_THAN_ANY_TEST).await?.expect("nobody waits so long"),
            Call::Child(program) => match live(program, board.clone()).await {
                Ok(trace) => u8::try_from(trace.len()).expect("short programs"),
                Err(Error::Cancelled { .. }) => CANCELLED,
                Err(other) => return Err(other),
            },
        });
    }
    Ok(trace)
}

/// The workflows of one history. Their ids begin with a prefix of its own.
pub(super) struct Subject<'a> {
    database: &'a Database,
    app: App,
    history: History,
    prefix: String,
    /// How often the process died: so often a step may have run once more than it should.
    crashes: u32,
    sent: u32,
}

/// What the database holds of a workflow: its status, the ids of its recorded steps, and its orders, of which no row says
/// when it was made.
type Rows = BTreeMap<String, (String, Vec<u32>, Vec<u8>)>;

impl<'a> Subject<'a> {
    pub(super) async fn launch(database: &'a Database, history: &History) -> Self {
        let orders = "CREATE TABLE IF NOT EXISTS history_orders (workflow TEXT NOT NULL, number BIGINT NOT NULL)";
        database.execute(orders).await;
        let app = App::launch(config(database)).await;
        let (history, prefix) = (history.clone(), unique("history"));
        Self { database, app, history, prefix, crashes: 0, sent: 0 }
    }

    /// The event happens here and in the reference; `Err` says how they differ.
    pub(super) async fn live_through(&mut self, event: &Event, reference: &mut Reference) -> Result<(), String> {
        self.sent += 1;
        let expected = reference.live_through(event);
        match event {
            Event::Crash => self.crash().await,
            Event::Interrupted(interruption, event) => {
                if self.interrupted(*interruption, event, reference).await {
                    // Whether it has happened is unknown; it happens now at the latest.
                    self.happen(event).await;
                }
            }
            event => {
                let answer = self.happen(event).await;
                if answer != expected {
                    return Err(format!("the answer was {answer:?}, not {expected:?}"));
                }
            }
        }
        self.compare_rows(reference).await
    }

    async fn crash(&mut self) {
        self.crashes += 1;
        self.app.crash_and_relaunch().await;
    }

    /// Whether the process died before the event and what follows from it were over.
    async fn interrupted(
        &mut self,
        Interruption { side, write }: Interruption,
        event: &Event,
        after: &Reference,
    ) -> bool {
        let failpoints = Failpoints::stopping(side, write);
        let undisturbed = self.app.config.clone();
        self.app.config = undisturbed.clone().failpoints(failpoints.clone());
        self.crash().await;
        let was_interrupted = tokio::select! {
            biased;
            () = failpoints.stopped() => true,
            () = async {
                self.happen(event).await;
                // A difference is found after this.
                self.compare_rows(after).await.ok();
            } => false,
        };
        self.app.config = undisturbed;
        self.crash().await;
        was_interrupted
    }

    async fn happen(&self, event: &Event) -> Answer {
        let done = self.app.run(async {
            match event {
                Event::Start(index) => {
                    let call = live(self.history.programs[*index].clone(), self.prefix.clone());
                    let id = self.id(&letter(*index));
                    DBOS::start_workflow(call).workflow_id(id).await.map(drop)
                }
                Event::Send(whom, number) => {
                    let to = self.id(&self.history.name(*whom));
                    DBOS::send(to, *number, NUMBERS).idempotency_key(format!("{}-{}", self.prefix, self.sent)).await
                }
                Event::Cancel(whom) => DBOS::cancel_workflow(self.id(&self.history.name(*whom))).await,
                Event::Resume(whom) => DBOS::resume_workflow(self.id(&self.history.name(*whom))).await,
                Event::Crash | Event::Interrupted(..) => unreachable!("done by others"),
            }
        });
        match done.await {
            Ok(()) => Answer::Done,
            Err(Error::NonExistentWorkflow { .. }) => Answer::Nobody,
            Err(Error::StillRunning { .. }) => Answer::StillRunning,
            Err(other) => panic!("{event}: {other}"),
        }
    }

    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Waits until the database holds what the reference says.
    async fn compare_rows(&self, reference: &Reference) -> Result<(), String> {
        let expected = self.expected(reference);
        let waited = Instant::now();
        loop {
            let found = self.found().await;
            if found == expected {
                return Ok(());
            }
            if waited.elapsed() > PATIENCE {
                return Err(format!("the database holds {found:?}, and not {expected:?}"));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    fn expected(&self, reference: &Reference) -> Rows {
        let row = |(name, workflow): (&String, &Workflow)| {
            let status = match workflow.state {
                State::Open => "PENDING",
                State::Cancelled => "CANCELLED",
                State::Ended => "SUCCESS",
            };
            let mut steps = workflow.steps.clone();
            steps.sort_unstable();
            let mut orders = workflow.orders.clone();
            orders.sort_unstable();
            (self.id(name), (status.to_owned(), steps, orders))
        };
        reference.workflows.iter().map(row).collect()
    }

    async fn found(&self) -> Rows {
        let mut rows = Rows::new();
        // What a dead process left is `PENDING` too, and nobody's yet.
        let workflows = format!(
            "SELECT workflow_uuid, CASE WHEN status = 'PENDING' AND executor_id <> '{}' THEN 'ORPHANED' ELSE status END
               FROM dbos.workflow_status",
            self.app.engine.executor_id()
        );
        for row in self.query(&workflows, "workflow_uuid").await {
            rows.insert(row[0].clone(), (row[1].clone(), Vec::new(), Vec::new()));
        }
        let steps = "SELECT workflow_uuid, function_id FROM dbos.operation_outputs";
        for row in self.query(steps, "function_id").await {
            // Its workflow may have come in between.
            if let Some((_, steps, _)) = rows.get_mut(&row[0]) {
                steps.push(row[1].parse().unwrap());
            }
        }
        for row in self.query("SELECT workflow AS workflow_uuid, number FROM history_orders", "number").await {
            if let Some((_, _, orders)) = rows.get_mut(&row[0]) {
                orders.push(row[1].parse().unwrap());
            }
        }
        rows
    }

    /// The rows of this history.
    async fn query(&self, select: &str, order: &str) -> Vec<Vec<String>> {
        let mine =
            format!("SELECT * FROM ({select}) AS rows WHERE workflow_uuid LIKE '{}%' ORDER BY {order}", self.prefix);
        let rows = self.database.query(&mine).await;
        rows.into_iter().map(|row| row.into_iter().map(Option::unwrap).collect()).collect()
    }

    /// What workflows gave and published, and how often their steps ran.
    pub(super) async fn compare_results(&self, reference: &Reference) -> Result<(), String> {
        let mut steps_that_ran = 0;
        for (name, workflow) in &reference.workflows {
            let id = self.id(name);
            if workflow.state == State::Ended {
                let given = self.app.result::<Result<Vec<u8>>>(&id).await.map_err(|error| error.to_string())?;
                if given != workflow.trace {
                    return Err(format!("{name} gave {given:?}, and not {:?}", workflow.trace));
                }
            }
            let published = self.app.run(async { DBOS::get_event(&id, PUBLISHED).timeout(Duration::ZERO).await });
            let published = published.await.map_err(|error| error.to_string())?;
            if published != workflow.published {
                return Err(format!("{name} has published {published:?}, and not {:?}", workflow.published));
            }
            steps_that_ran += workflow.steps_that_ran();
        }
        let runs = runs_of(&self.prefix);
        if !(steps_that_ran..=steps_that_ran + self.crashes).contains(&runs) {
            return Err(format!("{steps_that_ran} steps ran {runs} times in {} crashes", self.crashes));
        }
        Ok(())
    }

    /// Leaves nothing behind that the next history would take up.
    pub(super) async fn leave(self) {
        self.app.crash().await;
        let end = "UPDATE dbos.workflow_status SET status = 'CANCELLED' WHERE status IN ('PENDING', 'ENQUEUED')";
        self.database.execute(end).await;
    }
}

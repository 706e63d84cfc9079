//! Starts workflows when a schedule says so. Each process of the application keeps watch, and one of them starts a tick.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::clock::{millis, pause};
use crate::error::Result;
use crate::executor::Executor;
use crate::schedule::{Cron, due};
use crate::store::schedules::{Runner, ScheduleStatus};
use crate::wakeup::Fact;

/// How many polls go by until schedules that others made are noticed.
const POLLS: u32 = 10;

/// Sleeps until the next tick of any schedule, until the engine closes.
pub(crate) async fn run(executor: Arc<Executor>) {
    executor.takes_over().await;
    let changed = executor.wakeups.subscribe(Fact::Scheduled);
    let mut watch = Watch { executor: Arc::clone(&executor), seen: HashMap::new(), refused: HashSet::new() };
    loop {
        let next = changed.next();
        let next_ms = watch.run_once().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not look after the schedules; trying again");
            None
        });
        tokio::select! {
            () = next => {}
            () = executor.clock.reach(next_ms) => {}
            () = pause(executor.poll_interval * POLLS) => {}
            () = executor.closed() => return,
        }
    }
}

struct Watch {
    executor: Arc<Executor>,
    /// When schedules of other libraries were first seen, which do not say since when they are there.
    seen: HashMap<String, i64>,
    /// Patterns that nobody can read, and of which was told.
    refused: HashSet<String>,
}

impl Watch {
    /// Starts what is due, and gives the instant of the next tick.
    async fn run_once(&mut self) -> Result<Option<i64>> {
        let mut next_ms: Option<i64> = None;
        for schedule in self.executor.store.schedules().await? {
            if !self.is_ours(&schedule) {
                continue;
            }
            let Some(cron) = self.read(&schedule) else { continue };
            let now_ms = self.executor.clock.now_ms();
            let after_ms = self.after_ms(&schedule, now_ms);
            if cron.next_after(after_ms).is_some_and(|tick_ms| tick_ms <= now_ms) {
                self.fire(&schedule, &cron, now_ms).await?;
            }
            next_ms = next_ms.into_iter().chain(cron.next_after(after_ms.max(now_ms))).min();
        }
        Ok(next_ms)
    }

    /// What is declared in code runs only where the code declares it: an attribute that is gone starts nothing more.
    fn is_ours(&self, schedule: &ScheduleStatus) -> bool {
        let catalog = &self.executor.catalog;
        !schedule.is_paused
            && schedule.application_name.as_ref().is_none_or(|owner| *owner == self.executor.application)
            && catalog.workflow(&schedule.workflow_name).is_some()
            && (!schedule.is_declared || catalog.declares_schedule(&schedule.name))
    }

    fn read(&mut self, schedule: &ScheduleStatus) -> Option<Cron> {
        match Cron::parse(&schedule.cron, schedule.timezone.as_deref()) {
            Ok(cron) => Some(cron),
            Err(reason) => {
                if self.refused.insert(reason.clone()) {
                    tracing::warn!(reason, schedule = schedule.name, "a schedule cannot be read; it starts nothing");
                }
                None
            }
        }
    }

    /// The instant after which ticks count.
    fn after_ms(&mut self, schedule: &ScheduleStatus, now_ms: i64) -> i64 {
        let seen_ms = *self.seen.entry(schedule.id.clone()).or_insert(now_ms);
        after_ms(schedule, seen_ms)
    }

    async fn fire(&self, schedule: &ScheduleStatus, cron: &Cron, now_ms: i64) -> Result<()> {
        let executor = &self.executor;
        let Some(workflow) = executor.workflow(&schedule.workflow_name) else { return Ok(()) };
        let latest = executor.store.runner_of(&schedule.workflow_name, Some(&executor.application)).await?;
        let Some(latest) = latest else { return Ok(()) };
        let runner = Runner { timeout_ms: workflow.options().timeout.map(millis), ..latest };
        let seen_ms = self.seen.get(&schedule.id).copied().unwrap_or(now_ms);
        // Who has changed the pattern meanwhile has told so, and the next look goes by the new one.
        let due = |locked: &ScheduleStatus| {
            if locked.ticks_by(&schedule.cron, schedule.timezone.as_deref()) {
                due(cron, after_ms(locked, seen_ms), now_ms, locked.late)
            } else {
                Vec::new()
            }
        };
        let started = executor.store.fire(&schedule.name, &runner, now_ms, due).await?;
        if !started.is_empty() {
            executor.notifier.told(&Fact::Enqueued { queue: schedule.queue().to_owned() });
        }
        Ok(())
    }
}

fn after_ms(schedule: &ScheduleStatus, seen_ms: i64) -> i64 {
    schedule.last_tick_at_ms.max(schedule.since_ms).unwrap_or(seen_ms)
}

//! The workflows of the tests, and a clock that is set by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dbos::{Clock, Config, DBOS, Late, Result, Schedule, Tick, workflow};
use dbos_testkit::{App, Backend, Database, Pooler};
use jiff::Timestamp;

pub(crate) const MINUTELY: &str = "* * * * *";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Gives the instant of its tick.
#[workflow(schedule = "0 30 12 1 1 *", timezone = "Europe/Berlin", late = "last")]
pub(crate) async fn yearly(tick: Tick) -> Result<SystemTime> {
    Ok(tick.scheduled_at())
}

/// Gives what its schedule was created with.
#[workflow]
pub(crate) async fn noted(tick: Tick<String>) -> Result<String> {
    Ok(tick.context)
}

pub(crate) fn minutely(name: &str) -> Schedule {
    Schedule::new(name, MINUTELY, noted, format!("of {name}"))
}

pub(crate) async fn create(app: &App, name: &str, late: Late) {
    app.run(async { DBOS::create_schedule(minutely(name).late(late)).await.unwrap() }).await;
}

/// What a schedule has started.
pub(crate) fn started(schedule: &str) -> String {
    format!("SELECT count(*) FROM dbos.workflow_status WHERE schedule_name = '{schedule}'")
}

pub(crate) async fn ids(database: &Database, schedule: &str) -> Vec<String> {
    let query = format!("SELECT workflow_uuid FROM dbos.workflow_status WHERE schedule_name = '{schedule}' ORDER BY 1");
    database.query(&query).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

pub(crate) fn ms(instant: &str) -> i64 {
    instant.parse::<Timestamp>().unwrap().as_millisecond()
}

pub(crate) fn at(instant: &str) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms(instant).try_into().unwrap())
}

/// Moves a clock on to an instant.
pub(crate) fn go_to(clock: &Clock, instant: &str) {
    let left = ms(instant) - clock.now_ms();
    clock.advance(Duration::from_millis(left.try_into().expect("the instant is still to come")));
}

pub(crate) fn clock_at(instant: &str) -> Clock {
    let clock = Clock::manual();
    go_to(&clock, instant);
    clock
}

pub(crate) fn config_with(database: &Database, clock: &Clock) -> Config {
    let mut config = config(database);
    config.clock = Some(clock.clone());
    config
}

/// Nothing is found by polling, so a wake-up that is lost is a test that fails. Through a pooler everything is.
pub(crate) fn config(database: &Database) -> Config {
    let mut config = Config::new("schedules").database_url(database.url());
    config.poll_interval = Duration::from_mins(10);
    if let (Backend::Postgres, Some(pooler)) = (database.backend(), Pooler::shared()) {
        config = config.database_url(pooler.url(database.url()));
        (config.pooler, config.poll_interval) = (dbos::Pooler::Transaction, Duration::from_millis(20));
    }
    config
}

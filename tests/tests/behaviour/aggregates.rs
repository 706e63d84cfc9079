//! How many workflows and steps there are of each kind.

use std::time::Duration;

use dbos::{DBOS, Error, Group, Grouping, Result, step, workflow};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, rewind, steps};

behaviours! { aggregates:
    workflows_are_counted_by_what_tells_them_apart,
    steps_are_counted_by_name_and_outcome,
    what_a_workflow_counts_it_counts_once,
}

#[step]
async fn counted_step(fails: bool) -> Result<()> {
    if fails { Err(Error::new("it was to fail")) } else { Ok(()) }
}

#[workflow]
async fn counted(fails: bool) -> Result<()> {
    counted_step(false).await?;
    counted_step(fails).await
}

/// Three that succeed at 1000, 1500 and 2500, and one that fails at 2000; each takes 10 ms more than the one before.
async fn four(database: &Database) -> App {
    let app = App::launch(config(database)).await;
    for (number, created_ms) in [1000, 1500, 2500, 2000].into_iter().enumerate() {
        let id = format!("w-{number}");
        app.run(async { counted(number == 3).workflow_id(&id).await.ok() }).await;
        let end_ms = created_ms + 10 * (number + 1);
        let times = format!("created_at = {created_ms}, completed_at = {end_ms}");
        database.execute(&format!("UPDATE dbos.workflow_status SET {times} WHERE workflow_uuid = '{id}'")).await;
    }
    database.execute("UPDATE dbos.operation_outputs SET started_at_epoch_ms = 1, completed_at_epoch_ms = 8").await;
    app
}

/// Beginning, status, name, number and longest.
type Shown<'g> = (Option<i64>, Option<&'g str>, Option<&'g str>, i64, Option<i64>);

fn shown(groups: &[Group]) -> Vec<Shown<'_>> {
    let show = |group: &'_ Group| (group.from_ms, group.count, group.longest_ms);
    let texts = groups.iter().map(|group| (group.status.as_deref(), group.name.as_deref()));
    let numbers = groups.iter().map(show);
    texts
        .zip(numbers)
        .map(|((status, name), (from_ms, count, longest))| (from_ms, status, name, count, longest))
        .collect()
}

async fn workflows_are_counted_by_what_tells_them_apart(database: Database) {
    let app = four(&database).await;
    let count = |grouping| app.run(async { DBOS::count_workflows(grouping).await.unwrap() });

    assert_eq!(shown(&count(Grouping::new()).await), [(None, None, None, 4, Some(40))]);
    let by_status = count(Grouping::new().by_status().by_name()).await;
    assert_eq!(
        shown(&by_status),
        [(None, Some("ERROR"), Some("counted"), 1, Some(40)), (None, Some("SUCCESS"), Some("counted"), 3, Some(30)),]
    );
    let by_second = count(Grouping::new().by_time(Duration::from_secs(1))).await;
    assert_eq!(shown(&by_second), [(Some(1000), None, None, 2, Some(20)), (Some(2000), None, None, 2, Some(40))]);
    let window = Grouping::new().from_ms(1500).before_ms(2500);
    assert_eq!(shown(&count(window.clone()).await), [(None, None, None, 2, Some(40))]);
    assert_eq!(count(window.application_name("other")).await, []);
    let by_place = count(Grouping::new().by_queue().by_version().by_executor()).await;
    assert_eq!(by_place.len(), 1);
    assert_eq!(by_place[0].application_version.as_deref(), Some(app.engine.application_version()));
    assert_eq!(by_place[0].executor_id, Some(app.engine.executor_id()));
    assert_eq!(by_place[0].queue_name, None);
}

async fn steps_are_counted_by_name_and_outcome(database: Database) {
    let app = four(&database).await;
    let count = |grouping| app.run(async { DBOS::count_steps(grouping).await.unwrap() });

    let by_outcome = count(Grouping::new().by_status().by_name()).await;
    assert_eq!(
        shown(&by_outcome),
        [
            (None, Some("ERROR"), Some("counted_step"), 1, Some(7)),
            (None, Some("SUCCESS"), Some("counted_step"), 7, Some(7)),
        ]
    );
    assert_eq!(count(Grouping::new().before_ms(8)).await, []);
    let by_time = count(Grouping::new().by_time(Duration::from_millis(5))).await;
    assert_eq!(shown(&by_time), [(Some(5), None, None, 8, Some(7))]);
}

#[workflow]
async fn counts() -> Result<(i64, i64)> {
    let workflows = DBOS::count_workflows(Grouping::new()).await?;
    let steps = DBOS::count_steps(Grouping::new().by_name()).await?;
    Ok((workflows[0].count, steps[0].count))
}

async fn what_a_workflow_counts_it_counts_once(database: Database) {
    let mut app = four(&database).await;
    let before = app.run(async { counts().workflow_id("c").await.unwrap() }).await;
    let recorded = ["DBOS.countWorkflows", "DBOS.countSteps"].map(str::to_owned);
    assert_eq!(steps(&database, "c").await, (1..).zip(recorded).collect::<Vec<_>>());

    app.run(async { counted(false).await.unwrap() }).await;
    app.crash().await;
    rewind(&database, "c", "TRUE").await;
    app.relaunch().await;

    assert_eq!(app.result::<Result<(i64, i64)>>("c").await.unwrap(), before);
}

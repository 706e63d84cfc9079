//! A race of durable calls has one winner, for ever.

use std::time::Duration;

use dbos::{Clock, DBOS, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::{config, steps};

behaviours! { select:
    the_recorded_winner_wins_again_although_the_other_is_ready,
    a_time_out_that_won_wins_again_although_the_message_is_there,
    ids_after_a_race_do_not_depend_on_who_won,
    a_crash_before_there_is_a_winner_races_again,
    a_race_outside_a_workflow_just_races,
}

const WORDS: Topic<String> = Topic::new("words");
const HOUR: Duration = Duration::from_secs(3600);

#[step]
async fn select_waits(name: &str, gate: &str) -> Result<String> {
    pass(gate).await;
    ran(name);
    Ok(gate.rsplit('-').next().unwrap_or_default().to_owned())
}

#[step]
async fn select_holds(gate: &str) {
    pass(gate).await;
}

#[workflow]
async fn select_races(name: String) -> Result<String> {
    let (left, right) = (format!("{name}-left"), format!("{name}-right"));
    let winner = dbos::select! {
        word = select_waits(&name, &left) => format!("left said {}", word?),
        word = select_waits(&name, &right) => format!("right said {}", word?),
    };
    select_holds(&name).await;
    Ok(winner)
}

async fn the_recorded_winner_wins_again_although_the_other_is_ready(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("race");
    open(&format!("{name}-right"));
    app.run(async { DBOS::start_workflow(select_races(name.clone())).workflow_id("r").await.unwrap() }).await;
    reached(&name).await;

    app.crash().await;
    open(&format!("{name}-left"));
    app.relaunch().await;
    open(&name);

    assert_eq!(app.result::<Result<String>>("r").await.unwrap(), "right said right");
    assert_eq!(runs_of(&name), 1);
    let winner = database.value("SELECT output FROM dbos.operation_outputs WHERE function_name = 'DBOS.select'").await;
    assert_eq!(winner.as_deref(), Some("1"));
}

async fn ids_after_a_race_do_not_depend_on_who_won(database: Database) {
    let app = App::launch(config(&database)).await;
    let names = [unique("race"), unique("race")];
    open(&format!("{}-left", names[0]));
    open(&format!("{}-right", names[1]));
    names.iter().for_each(|name| open(name));

    app.run(async {
        select_races(names[0].clone()).workflow_id("left").await.unwrap();
        select_races(names[1].clone()).workflow_id("right").await.unwrap();
    })
    .await;

    let ids = |steps: Vec<(u32, String)>| steps.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(steps(&database, "left").await), [1, 2, 4]);
    assert_eq!(ids(steps(&database, "right").await), [1, 3, 4]);
}

async fn a_crash_before_there_is_a_winner_races_again(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("race");
    app.run(async { DBOS::start_workflow(select_races(name.clone())).workflow_id("r").await.unwrap() }).await;
    reached(&format!("{name}-left")).await;
    open(&name);

    app.crash().await;
    open(&format!("{name}-right"));
    app.relaunch().await;

    assert_eq!(app.result::<Result<String>>("r").await.unwrap(), "right said right");
}

#[workflow]
async fn select_waits_for_word(name: String) -> Result<String> {
    let said = dbos::select! {
        word = DBOS::recv(WORDS, 10 * HOUR) => word?.unwrap_or_default(),
        () = DBOS::sleep(HOUR) => "nothing".to_owned(),
    };
    select_holds(&name).await;
    Ok(said)
}

async fn a_time_out_that_won_wins_again_although_the_message_is_there(database: Database) {
    let clock = Clock::manual();
    let mut settings = config(&database);
    settings.clock = Some(clock.clone());
    let mut app = App::launch(settings).await;
    let name = unique("word");
    app.run(async { DBOS::start_workflow(select_waits_for_word(name.clone())).workflow_id("w").await.unwrap() }).await;
    while steps(&database, "w").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    clock.advance(HOUR);
    reached(&name).await;

    app.run(async { DBOS::send("w", "late", WORDS).await.unwrap() }).await;
    app.crash_and_relaunch().await;
    open(&name);

    assert_eq!(app.result::<Result<String>>("w").await.unwrap(), "nothing");
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications WHERE consumed").await, 0);
}

async fn a_race_outside_a_workflow_just_races(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("race");
    let (left, right) = (format!("{name}-left"), format!("{name}-right"));
    open(&right);

    let winner = app
        .run(async {
            dbos::select! {
                word = select_waits(&name, &left) => word.unwrap(),
                word = select_waits(&name, &right) => word.unwrap(),
            }
        })
        .await;

    assert_eq!(winner, "right");
}

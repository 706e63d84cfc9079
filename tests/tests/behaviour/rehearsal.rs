//! What was recorded is replayed with other code: each kind of change is told, and what changes nothing is none.

use std::time::Duration;

use dbos::replay::{Divergence, Kind, check};
use dbos::{DBOS, Error, Event, Result, Topic, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;

behaviours! { rehearsal:
    the_code_that_was_recorded_fits_and_does_nothing,
    each_edit_is_told_as_what_it_is,
    edits_that_change_no_step_fit,
    a_workflow_that_has_not_ended_fits_as_far_as_it_came,
    failures_and_races_are_replayed,
    a_file_that_is_none_is_told,
}

const NEWS: Topic<String> = Topic::new("news");
const STAGE: Event<String> = Event::new("stage");

#[step]
async fn draw(name: &str) -> u32 {
    ran(name);
    7
}

#[step]
async fn paint(name: &str, colour: u32) -> String {
    ran(name);
    format!("{name} in {colour}")
}

#[step]
async fn frame(picture: String) -> String {
    format!("{picture}, framed")
}

#[workflow]
async fn hang(picture: String) -> Result<String> {
    Ok(paint(&picture, 1).await)
}

#[workflow]
async fn lend(picture: String) -> Result<String> {
    Ok(frame(picture).await)
}

#[workflow]
async fn picture(name: String) -> Result<String> {
    let colour = draw(&name).await;
    let painted = paint(&name, colour).await;
    DBOS::set_event(STAGE, "painted").await?;
    DBOS::sleep(Duration::from_millis(1)).await;
    let hung = hang(name).await?;
    Ok(format!("{painted}, {hung}"))
}

/// The same with a detour that takes no step.
#[workflow]
async fn picture_reworded(name: String) -> Result<String> {
    let (colour, twice) = (draw(&name).await, 2);
    let painted = paint(&name, colour + twice).await;
    DBOS::set_event(STAGE, "done").await?;
    DBOS::sleep(Duration::from_secs(1)).await;
    hang(name).await.map(|hung| [painted, hung].join(", "))
}

#[workflow]
async fn picture_with_a_frame(name: String) -> Result<String> {
    let colour = draw(&name).await;
    let framed = frame(name.clone()).await;
    let painted = paint(&framed, colour).await;
    DBOS::set_event(STAGE, "painted").await?;
    DBOS::sleep(Duration::from_millis(1)).await;
    let hung = hang(name).await?;
    Ok(format!("{painted}, {hung}"))
}

#[workflow]
async fn picture_without_an_event(name: String) -> Result<String> {
    let colour = draw(&name).await;
    let painted = paint(&name, colour).await;
    DBOS::sleep(Duration::from_millis(1)).await;
    let hung = hang(name).await?;
    Ok(format!("{painted}, {hung}"))
}

#[workflow]
async fn picture_turned_round(name: String) -> Result<String> {
    let painted = paint(&name, 7).await;
    draw(&name).await;
    DBOS::set_event(STAGE, "painted").await?;
    DBOS::sleep(Duration::from_millis(1)).await;
    let hung = hang(name).await?;
    Ok(format!("{painted}, {hung}"))
}

#[workflow]
async fn picture_lent(name: String) -> Result<String> {
    let colour = draw(&name).await;
    let painted = paint(&name, colour).await;
    DBOS::set_event(STAGE, "painted").await?;
    DBOS::sleep(Duration::from_millis(1)).await;
    let lent = lend(name).await?;
    Ok(format!("{painted}, {lent}"))
}

#[workflow]
async fn picture_signed(name: String) -> Result<String> {
    let colour = draw(&name).await;
    let painted = paint(&name, colour).await;
    DBOS::set_event(STAGE, "painted").await?;
    DBOS::sleep(Duration::from_millis(1)).await;
    let hung = hang(name).await?;
    Ok(format!("{painted}, {hung}, signed"))
}

/// What the step gives was a number.
#[step(name = "draw")]
async fn draw_in_words(name: &str) -> String {
    name.to_owned()
}

#[workflow]
async fn picture_in_words(name: String) -> Result<String> {
    draw_in_words(&name).await;
    Ok(name)
}

#[workflow]
async fn picture_of_numbers(number: u32) -> Result<String> {
    Ok(number.to_string())
}

async fn recorded(app: &App) -> String {
    app.run(async {
        let name = unique("picture");
        picture(name.clone()).workflow_id("p").await.unwrap();
        assert_eq!(runs_of(&name), 3);
        let history = DBOS::export_workflow("p").await.unwrap();
        check(&history).await.unwrap();
        assert_eq!(runs_of(&name), 3, "no step runs in a replay");
        history
    })
    .await
}

/// The record with the code of another workflow: what it would be after that edit.
async fn with_code(history: &str, workflow: &str) -> Vec<Divergence> {
    let edited = history.replacen("\"name\": \"picture\"", &format!("\"name\": \"{workflow}\""), 1);
    check(&edited).await.err().map(|divergences| divergences.list().to_vec()).unwrap_or_default()
}

async fn the_code_that_was_recorded_fits_and_does_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    let history = recorded(&app).await;
    let rows = "SELECT count(*) FROM dbos.operation_outputs";
    let before = database.count(rows).await;
    app.engine.shutdown().await;

    check(&history).await.unwrap();

    assert_eq!(database.count(rows).await, before);
    assert!(history.contains("\"workflow_id\": \"p-5\""), "the child is in the file");
}

async fn each_edit_is_told_as_what_it_is(database: Database) {
    let app = App::launch(config(&database)).await;
    let history = recorded(&app).await;

    for (code, kind, step, recorded, called) in [
        ("picture_with_a_frame", Kind::Added, Some(2), Some("paint"), Some("frame")),
        ("picture_without_an_event", Kind::Removed, Some(3), Some("DBOS.setEvent"), Some("DBOS.sleep")),
        ("picture_turned_round", Kind::Reordered, Some(1), Some("draw"), Some("paint")),
        ("picture_lent", Kind::ChildChanged, Some(5), Some("hang"), Some("lend")),
    ] {
        let told = with_code(&history, code).await;

        assert_eq!(told.len(), 1, "{code}: {told:?}");
        let told = &told[0];
        let (was, is) = (told.recorded.as_deref(), told.called.as_deref());
        assert_eq!((told.kind, told.step_id, was, is), (kind, step, recorded, called), "{code}");
        assert!(told.location.as_deref().unwrap().contains("rehearsal.rs:"), "{told}");
    }
    let renamed = with_code(&history.replace("\"name\": \"paint\"", "\"name\": \"brush\""), "picture").await;
    assert_eq!((renamed[0].kind, renamed[0].recorded.as_deref()), (Kind::Renamed, Some("brush")));
    for (code, kind) in [
        ("picture_signed", Kind::OutcomeChanged),
        ("picture_in_words", Kind::Unreadable),
        ("picture_of_numbers", Kind::Unreadable),
        ("picture_burnt", Kind::Unknown),
    ] {
        let told = with_code(&history, code).await;
        assert_eq!(told.iter().map(|told| told.kind).collect::<Vec<_>>(), [kind], "{code}");
    }
}

async fn edits_that_change_no_step_fit(database: Database) {
    let app = App::launch(config(&database)).await;
    let history = recorded(&app).await;

    assert!(with_code(&history, "picture_reworded").await.is_empty());
}

#[step]
async fn wait_at(gate: String) {
    pass(&gate).await;
}

#[workflow]
async fn half_way(gate: String) -> Result<()> {
    draw(&gate).await;
    wait_at(gate).await;
    DBOS::recv(NEWS, Duration::from_mins(1)).await?;
    Ok(())
}

#[workflow]
async fn half_way_with_more(gate: String) -> Result<()> {
    draw(&gate).await;
    paint(&gate, 1).await;
    wait_at(gate).await;
    Ok(())
}

async fn a_workflow_that_has_not_ended_fits_as_far_as_it_came(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("gate");
    app.run(async { DBOS::start_workflow(half_way(gate.clone())).workflow_id("h").await.unwrap() }).await;
    reached(&gate).await;
    let export = async || app.run(async { DBOS::export_workflow("h").await.unwrap() }).await;
    let edited = |history: &str| history.replacen("half_way", "half_way_with_more", 1);

    let in_a_step = export().await;
    check(&in_a_step).await.unwrap();
    check(&edited(&in_a_step)).await.unwrap();

    open(&gate);
    let timers = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'";
    database.until_count(timers, 1).await;
    let receiving = export().await;
    check(&receiving).await.unwrap();
    let told = check(&edited(&receiving)).await.unwrap_err();
    assert_eq!(told.list()[0].kind, Kind::Added, "{told}");
}

#[step]
async fn stumble() -> Result<u32> {
    Err(Error::named("Stumbled", "over a stone"))
}

#[workflow]
async fn falls() -> Result<u32> {
    let (one, two) = tokio::join!(draw("falls"), draw("falls"));
    dbos::select! {
        () = DBOS::sleep(Duration::from_mins(10)) => {}
        news = DBOS::recv(NEWS, Duration::from_millis(1)) => { news?; }
    }
    Ok(stumble().await? + one + two)
}

#[workflow]
async fn rehearsed_panic() -> Result<u32> {
    draw("panics").await;
    panic!("no further")
}

async fn failures_and_races_are_replayed(database: Database) {
    let app = App::launch(config(&database)).await;

    for (id, workflow) in [("falls", falls()), ("panics", rehearsed_panic())] {
        app.run(workflow.workflow_id(id)).await.unwrap_err();
        let history = app.run(async { DBOS::export_workflow(id).await.unwrap() }).await;

        check(&history).await.unwrap();
    }
}

async fn a_file_that_is_none_is_told(_: Database) {
    let told = check("{}").await.unwrap_err();

    assert_eq!(told.list()[0].kind, Kind::Unknown);
    assert!(told.to_string().contains("no file of `workflow export`"), "{told}");
}

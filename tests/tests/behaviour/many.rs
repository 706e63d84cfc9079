//! Many workflows in one call: cancelled, resumed, forked, rewound and deleted, with a word on each of them.

use dbos::{DBOS, ReportedOutcome, Result, Status, WorkflowReport, step, workflow};
use dbos_testkit::board::{open, pass, ran, reached, unique};
use dbos_testkit::{App, CrashTest, Database, behaviours};

use crate::app::{config, rewind, steps};

behaviours! { many:
    what_became_of_each_is_told,
    a_workflow_changes_many_in_one_step,
    many_are_forked_once_wherever_it_crashes within 300,
}

/// How often it was run.
#[step]
async fn many_waits(gate: &str) -> Result<u32> {
    let runs = ran(gate);
    pass(gate).await;
    Ok(runs)
}

#[workflow]
async fn many_counted(gate: String) -> Result<u32> {
    many_waits(&gate).await
}

#[workflow]
async fn many_family(gate: String) -> Result<u32> {
    many_counted(gate).await
}

fn outcomes(reports: &[WorkflowReport]) -> Vec<(&str, ReportedOutcome)> {
    reports.iter().map(|report| (report.workflow_id.as_str(), report.outcome)).collect()
}

async fn what_became_of_each_is_told(database: Database) {
    use ReportedOutcome::{Cancelled, Deleted, Failed, Forked, Resumed, Rewound, Unchanged};
    let app = App::launch(config(&database)).await;
    let (done, stuck) = (unique("done"), unique("stuck"));
    open(&done);
    app.run(async {
        assert_eq!(many_counted(done.clone()).workflow_id("a").await.unwrap(), 1);
        DBOS::start_workflow(many_family(stuck.clone())).workflow_id("b").await.unwrap();
    })
    .await;
    reached(&stuck).await;

    let cancelled =
        app.run(async { DBOS::cancel_workflows(["a", "b", "nobody"]).with_children().await.unwrap() }).await;
    assert_eq!(outcomes(&cancelled), [("a", Unchanged), ("b", Cancelled), ("nobody", Failed)]);
    assert_eq!((cancelled[0].status, &cancelled[1].descendants[..]), (Some(Status::Success), &["b-1".to_owned()][..]));
    assert!(cancelled[2].error.as_ref().unwrap().contains("`nobody`"), "{cancelled:?}");

    open(&stuck);
    let resumed = app.run(async { DBOS::resume_workflows(vec!["b-1", "a", "b"]).await.unwrap() }).await;
    assert_eq!(outcomes(&resumed), [("b-1", Resumed), ("a", Unchanged), ("b", Resumed)]);
    assert_eq!(app.result::<Result<u32>>("b").await.unwrap(), 2);

    let forked = app.run(async { DBOS::fork_workflows(["a", "nobody", "a"], 1).await.unwrap() }).await;
    assert_eq!(outcomes(&forked), [("a", Forked), ("nobody", Failed), ("a", Forked)]);
    let new = |place: usize| forked[place].new_workflow_id.clone().unwrap();
    let runs = [app.result::<Result<u32>>(&new(0)).await.unwrap(), app.result::<Result<u32>>(&new(2)).await.unwrap()];
    assert_eq!(runs[0] + runs[1], 2 + 3);

    let rewound = app.run(async { DBOS::rewind_workflows(["nobody", "a"], 1).await.unwrap() }).await;
    assert_eq!(outcomes(&rewound), [("nobody", Failed), ("a", Rewound)]);
    assert_eq!(app.result::<Result<u32>>("a").await.unwrap(), 4);

    let deleted = app.run(async { DBOS::delete_workflows(["b", "nobody", "a"]).with_children().await.unwrap() }).await;
    assert_eq!(outcomes(&deleted), [("b", Deleted), ("nobody", Unchanged), ("a", Deleted)]);
    assert_eq!(deleted[0].descendants, ["b-1"]);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 2);
}

#[workflow]
async fn many_changed() -> Result<(Vec<Option<String>>, Vec<ReportedOutcome>)> {
    let forked = DBOS::fork_workflows(["w", "v"], 1).await?;
    let deleted = DBOS::delete_workflows(["u", "nobody"]).await?;
    let new = forked.into_iter().map(|report| report.new_workflow_id).collect();
    Ok((new, deleted.into_iter().map(|report| report.outcome).collect()))
}

type Changed = Result<(Vec<Option<String>>, Vec<ReportedOutcome>)>;

async fn a_workflow_changes_many_in_one_step(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("many");
    open(&gate);
    app.run(async {
        for id in ["w", "v", "u"] {
            many_counted(gate.clone()).workflow_id(id).await.unwrap();
        }
    })
    .await;

    let (forks, deleted) = app.run(async { many_changed().workflow_id("m").await.unwrap() }).await;

    assert_eq!(deleted, [ReportedOutcome::Deleted, ReportedOutcome::Unchanged]);
    let recorded = [(1, "DBOS.forkWorkflows".to_owned()), (2, "DBOS.deleteWorkflows".to_owned())];
    assert_eq!(steps(&database, "m").await, recorded);
    // It crashes before anything is recorded: the forks are the same, and what is gone need not be deleted.
    app.crash().await;
    rewind(&database, "m", "FALSE").await;
    app.relaunch().await;
    let (again, deleted) = app.result::<Changed>("m").await.unwrap();
    assert_eq!((again, deleted), (forks.clone(), vec![ReportedOutcome::Unchanged; 2]));
    for fork in forks.into_iter().flatten() {
        app.result::<Result<u32>>(&fork).await.unwrap();
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE forked_from IS NOT NULL").await, 2);
}

#[workflow]
async fn many_forked() -> Result<Vec<Option<String>>> {
    let forked = DBOS::fork_workflows(["w", "v"], 1).await?;
    Ok(forked.into_iter().map(|report| report.new_workflow_id).collect())
}

async fn many_are_forked_once_wherever_it_crashes(database: Database) {
    let gate = unique("many");
    open(&gate);
    let test = CrashTest::on(database.backend()).with_config(config(&database));

    let crashes = tokio::task::spawn_blocking(move || {
        test.run(
            async |_| {
                for id in ["w", "v"] {
                    many_counted(gate.clone()).workflow_id(id).await?;
                }
                many_forked().workflow_id("m").await
            },
            async |database, forks| {
                assert_eq!(forks.unwrap(), ["m-1.1", "m-1.2"].map(|fork| Some(fork.to_owned())));
                let made = "SELECT count(*) FROM dbos.workflow_status WHERE forked_from IS NOT NULL";
                assert_eq!(database.count(made).await, 2);
            },
        )
    });

    // Two with a step each, the workflow that forks them, two forks, its step, its outcome.
    assert!(crashes.await.unwrap().writes >= 11);
}

//! Schedules from a terminal.

use std::time::Duration;

use dbos_testkit::{Database, Program, behaviours};
use tempfile::TempDir;

use crate::processes::TICKER;

behaviours! { terminal:
    a_terminal_looks_after_schedules within 120,
}

/// Runs `ticker schedule …` to its end: its exit code and its lines.
async fn schedule(database: &Database, words: &[&str]) -> (Option<i32>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let program = Program::new(TICKER).directory(folder.path()).arg("schedule");
    let program = words.iter().fold(program, Program::arg);
    let process = program.env("DBOS_DATABASE_URL", database.url()).start();
    let code = process.wait().await.code();
    (code, process.all_lines().await)
}

async fn a_terminal_looks_after_schedules(database: Database) {
    database.execute("CREATE TABLE ticked (second BIGINT NOT NULL)").await;
    let program = Program::new(TICKER).env("DATABASE", database.url()).start();
    program.wait_for_line("ready").await;

    assert_eq!(schedule(&database, &["pause", "tick"]).await, (Some(0), vec!["tick: paused".to_owned()]));
    let (_, lines) = schedule(&database, &["list"]).await;
    assert!(lines[0].starts_with("NAME") && lines[1].starts_with("tick"), "{lines:?}");
    assert!(
        ["* * * * * *", "UTC", "PAUSED", "run_all", "ticker"].iter().all(|cell| lines[1].contains(cell)),
        "{lines:?}"
    );
    let (_, lines) = schedule(&database, &["list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&lines.join("\n")).unwrap();
    assert_eq!((&list[0]["name"], &list[0]["is_paused"]), (&"tick".into(), &true.into()));

    let (code, lines) = schedule(&database, &["trigger", "tick"]).await;
    assert!(code == Some(0) && lines[0].starts_with("sched-tick-trigger-"), "{lines:?}");
    let span = ["--since", "2026-01-01T00:00:00Z", "--until", "2026-01-01T00:00:02Z"];
    let (_, lines) = schedule(&database, &[&["backfill", "tick"][..], &span].concat()).await;
    assert_eq!(lines, ["sched-tick-2026-01-01T00:00:00.000Z", "sched-tick-2026-01-01T00:00:01.000Z"]);
    let of_them = "SELECT count(*) FROM dbos.workflow_status
                    WHERE status = 'SUCCESS' AND (workflow_uuid LIKE '%trigger%' OR workflow_uuid LIKE '%2026-01-01T%')";
    database.until_count(of_them, 3).await;

    let known = database.count("SELECT count(*) FROM ticked").await;
    assert_eq!(schedule(&database, &["resume", "tick"]).await, (Some(0), vec!["tick: resumed".to_owned()]));
    let more = tokio::time::timeout(Duration::from_secs(60), async {
        while database.count("SELECT count(*) FROM ticked").await == known {}
    });
    more.await.unwrap();
    assert_eq!(schedule(&database, &["delete", "tick"]).await, (Some(0), vec!["tick: deleted".to_owned()]));
    let (code, lines) = schedule(&database, &["pause", "tick"]).await;
    assert_eq!((code, lines.len()), (Some(1), 1), "{lines:?}");
}

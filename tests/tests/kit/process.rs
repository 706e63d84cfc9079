use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use dbos_testkit::{Process, Program, behaviours};
use tokio::time::timeout;

behaviours! { process:
    lines_of_both_outputs_are_seen on nothing,
    a_killed_process_ends_by_signal_9 on nothing,
    a_paused_process_says_nothing_until_it_is_resumed on nothing,
    a_terminated_process_may_tidy_up on nothing,
    a_dropped_process_takes_its_children_along on nothing,
    what_configures_an_application_is_not_inherited on nothing,
}

fn shell(script: &str) -> Process {
    Program::new("sh").arg("-c").arg(script).start()
}

async fn lines_of_both_outputs_are_seen() {
    let process = shell("echo one; echo two >&2; echo one more; exit 3");

    assert_eq!(process.wait_for_line("one").await, "one");
    assert_eq!(process.wait_for_line("two").await, "two");
    assert_eq!(process.wait_for_line_number(2, "one").await, "one more");
    assert_eq!(process.wait().await.code(), Some(3));
    assert_eq!(process.status().and_then(|status| status.code()), Some(3));
}

async fn a_killed_process_ends_by_signal_9() {
    let process = shell("echo up; exec sleep 600");
    process.wait_for_line("up").await;

    assert_eq!(process.kill().await.signal(), Some(9));
}

async fn a_paused_process_says_nothing_until_it_is_resumed() {
    let process = shell("trap 'echo woken; exit' TERM; echo up; while :; do sleep 0.01; done");
    process.wait_for_line("up").await;

    process.pause();
    process.terminate();
    assert!(timeout(Duration::from_millis(100), process.wait()).await.is_err());
    process.resume();

    process.wait_for_line("woken").await;
    assert!(process.wait().await.success());
}

async fn a_terminated_process_may_tidy_up() {
    let process = shell("trap 'echo tidied; exit 7' TERM; echo up; while :; do sleep 0.01; done");
    process.wait_for_line("up").await;

    process.terminate();

    assert_eq!(process.wait().await.code(), Some(7));
    process.wait_for_line("tidied").await;
}

async fn a_dropped_process_takes_its_children_along() {
    let process = shell("sleep 600 & echo up; wait");
    process.wait_for_line("up").await;
    let child = process.children()[0];
    assert!(is_alive(child));

    drop(process);

    let mut looks = tokio::time::interval(Duration::from_millis(5));
    while is_alive(child) {
        looks.tick().await;
    }
}

/// A zombie is dead: nobody may have collected it yet.
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

async fn what_configures_an_application_is_not_inherited() {
    let process = Program::new("sh").arg("-c").arg("echo [$DBOS_A$PORT]").env("PORT", "1").start();

    assert_eq!(process.wait_for_line("[").await, "[1]");
}

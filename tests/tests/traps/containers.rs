//! Processes that share a database and little else, as in containers of one machine: the same host name, each with the
//! process number 1, and files where the other does not find them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dbos_testkit::{Database, Process, Program, behaviours};

use crate::two_processes::{ENDED, Place, WALKER};

behaviours! { containers:
    containers_with_one_process_number_take_over_what_is_dead_and_nothing_else within 120 unless no_containers,
    containers_with_locks_of_their_own_wait_for_the_lease on postgres within 120 unless no_containers,
    containers_that_see_one_file_at_two_paths_know_who_lives on sqlite within 120 unless no_containers,
    processes_that_reach_one_file_by_two_names_know_who_lives on sqlite within 120,
}

/// Five looks at who is dead.
const LEASE: Duration = Duration::from_secs(4);

/// How `unshare` is asked for namespaces here: as root, or as anybody where the system lets them.
fn separating() -> Option<&'static [&'static str]> {
    const AS_ROOT: &[&str] = &["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"];
    const AS_ANYBODY: &[&str] =
        &["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"];
    static SEPARATING: OnceLock<Option<&[&str]>> = OnceLock::new();
    *SEPARATING.get_or_init(|| {
        [AS_ROOT, AS_ANYBODY].into_iter().find(|options| {
            let probe = Command::new("unshare").args(*options).arg("true").stderr(Stdio::null()).status();
            probe.is_ok_and(|status| status.success())
        })
    })
}

fn no_containers() -> Option<String> {
    separating().is_none().then(|| "`unshare` may not make namespaces here".to_owned())
}

/// The walker as process 1 of namespaces of its own, where `mounts` has been run before.
fn contained(mounts: &str) -> Program {
    let options = separating().expect("the test would be ignored").iter();
    let unshare = options.fold(Program::new("unshare"), Program::arg);
    unshare.arg("sh").arg("-ec").arg(format!("{mounts}\nexec \"$0\"")).arg(WALKER)
}

fn walk(place: &Place, name: &str, walks: usize) {
    for number in 0..walks {
        place.ask(name, &format!("{name}-{number}"));
    }
}

/// Lets more than a lease go by, time enough to do wrong, and looks whether somebody took what `live` ones are at.
async fn assert_left_alone(place: &Place, walks: usize) {
    tokio::time::sleep(LEASE * 3 / 2).await;
    assert_eq!(place.times("at-gate"), walks, "the work of a live process was taken");
}

/// Kills `dead`, and gives how long it took until all its walks went on elsewhere.
async fn kill_and_wait(place: &Place, dead: &Process, walks: usize) -> Duration {
    let before = place.times("at-gate");
    dead.kill().await;
    let killed = Instant::now();
    place.until_times("at-gate", before + walks).await;
    killed.elapsed()
}

async fn assert_all_end_once(place: &Place, walks: usize) {
    place.open_gate();
    place.database.until_count(ENDED, i64::try_from(walks).unwrap()).await;
    place.assert_each_passed_once(i64::try_from(walks).unwrap()).await;
    assert_eq!(place.times("set-out"), walks, "a recorded step does not run again");
}

async fn containers_with_one_process_number_take_over_what_is_dead_and_nothing_else(database: Database) {
    let place = Place::new(database).await;
    let first = place.launch_on(place.database.url(), contained(""), "first", LEASE).await;
    let _second = place.launch_on(place.database.url(), contained(""), "second", LEASE).await;
    walk(&place, "first", 20);
    walk(&place, "second", 5);
    place.until_times("at-gate", 25).await;
    assert_eq!(place.processes(), BTreeSet::from(["1".to_owned()]));

    assert_left_alone(&place, 25).await;
    let _third = place.launch_on(place.database.url(), contained(""), "third", LEASE).await;
    let taken_over = kill_and_wait(&place, &first, 20).await;

    assert!(taken_over < LEASE, "the lock tells at once: {taken_over:?}");
    assert_left_alone(&place, 45).await;
    assert_all_end_once(&place, 25).await;
}

async fn containers_with_locks_of_their_own_wait_for_the_lease(database: Database) {
    let place = Place::new(database).await;
    let folder = place.folder.path().join("temporary");
    std::fs::create_dir(&folder).unwrap();
    let apart = || contained("mount -t tmpfs tmpfs \"$TMPDIR\"").env("TMPDIR", &folder);
    let first = place.launch_on(place.database.url(), apart(), "first", LEASE).await;
    let _second = place.launch_on(place.database.url(), apart(), "second", LEASE).await;
    walk(&place, "first", 20);
    place.until_times("at-gate", 20).await;

    assert_left_alone(&place, 20).await;
    let taken_over = kill_and_wait(&place, &first, 20).await;

    // It was renewed a fifth of a lease ago at the latest, if the machine is not too busy.
    assert!(taken_over > LEASE / 2, "nobody can have known before: {taken_over:?}");
    assert!(taken_over < LEASE * 2, "{taken_over:?}");
    assert_all_end_once(&place, 20).await;
}

async fn containers_that_see_one_file_at_two_paths_know_who_lives(database: Database) {
    let place = Place::new(database).await;
    let at = |name: &str| {
        let folder = place.folder.path().join(format!("data-{name}"));
        std::fs::create_dir(&folder).unwrap();
        let mount = format!("mount --bind '{}' '{}'", beside(&place.database).display(), folder.display());
        (contained(&mount), url(&folder.join("test.sqlite")))
    };
    let ((one, one_url), (two, two_url)) = (at("one"), at("two"));
    let first = place.launch_on(&one_url, one, "first", LEASE).await;
    let _second = place.launch_on(&two_url, two, "second", LEASE).await;

    assert_know_who_lives(&place, &first).await;
}

async fn processes_that_reach_one_file_by_two_names_know_who_lives(database: Database) {
    let place = Place::new(database).await;
    let link = place.folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(place.database.path().unwrap(), &link).unwrap();
    let first = place.launch("first", LEASE).await;
    let _second = place.launch_on(&url(&link), Program::new(WALKER), "second", LEASE).await;

    assert_know_who_lives(&place, &first).await;
}

async fn assert_know_who_lives(place: &Place, first: &Process) {
    walk(place, "first", 20);
    walk(place, "second", 5);
    place.until_times("at-gate", 25).await;

    assert_left_alone(place, 25).await;
    kill_and_wait(place, first, 20).await;

    assert_left_alone(place, 45).await;
    assert_all_end_once(place, 25).await;
}

/// The folder of an SQLite file.
fn beside(database: &Database) -> &Path {
    database.path().and_then(Path::parent).expect("a file in a folder")
}

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

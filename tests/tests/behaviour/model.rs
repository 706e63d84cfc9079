//! Random programs, crashed before and after each of their durable writes: the ids and the outcome are those of a run
//! that never crashed.
//!
//! `DBOS_TEST_PROGRAMS` sets how many (default 2), `DBOS_TEST_SEED` which ones; both are printed.

use std::time::Duration;

use dbos::{DBOS, Failpoints, Result, Side, Topic, step, workflow};
use dbos_testkit::board::{ran, runs_of, unique};
use dbos_testkit::{App, Database, behaviours, chance, report};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::app::{config, rewind, steps};

behaviours! { model:
    a_random_program_ends_alike_wherever_it_crashes within 3600,
    a_trace_that_no_program_gives_is_found on nothing,
}

const NEVER: Topic<()> = Topic::new("never");

/// A program of durable calls; the number is what its step gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Program {
    Step(u32),
    Random,
    Child(u32),
    /// `tokio::join!` of three calls.
    Join(u32, u32, u32),
    /// `join_all` of so many.
    JoinAll(Vec<u32>),
    /// A race whose winner is left to chance.
    Race(u32, u32),
    /// A race that the step must win, because nobody sends the message.
    RaceAgainstSilence(u32),
    Sequence(Vec<Program>),
}

fn programs() -> impl Strategy<Value = Program> {
    let number = 0..1000_u32;
    let leaf = prop_oneof![
        number.clone().prop_map(Program::Step),
        Just(Program::Random),
        number.clone().prop_map(Program::Child),
        (number.clone(), number.clone(), number.clone()).prop_map(|(a, b, c)| Program::Join(a, b, c)),
        prop::collection::vec(number.clone(), 0..6).prop_map(Program::JoinAll),
        (number.clone(), number.clone()).prop_map(|(a, b)| Program::Race(a, b)),
        number.prop_map(Program::RaceAgainstSilence),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 1..5).prop_map(Program::Sequence))
}

#[step]
async fn model_step(name: &str, n: u32) -> u32 {
    ran(name);
    // Whose turn it is next is up to chance.
    for _ in 0..n % 7 {
        tokio::task::yield_now().await;
    }
    n
}

#[workflow]
async fn model_child(name: String, n: u32) -> Result<u32> {
    Ok(model_step(&name, n).await)
}

#[workflow]
async fn model_runs(program: Program, name: String) -> Result<Vec<u32>> {
    let mut trace = Vec::new();
    run(&program, &name, &mut trace).await?;
    Ok(trace)
}

async fn run(program: &Program, name: &str, trace: &mut Vec<u32>) -> Result<()> {
    match program {
        Program::Step(n) => trace.push(model_step(name, *n).await),
        Program::Random => trace.push(u32::from(DBOS::random().await < 2.0)),
        Program::Child(n) => trace.push(model_child(name.to_owned(), *n).await?),
        Program::Join(a, b, c) => {
            let (a, b, c) = tokio::join!(model_step(name, *a), model_step(name, *b), model_step(name, *c));
            trace.extend([a, b, c]);
        }
        Program::JoinAll(numbers) => {
            trace.extend(join_all(numbers.iter().map(|n| model_step(name, *n))).await);
        }
        Program::Race(a, b) => {
            let winner = dbos::select! {
                n = model_step(name, *a) => n,
                n = model_step(name, *b) => n + 10_000,
            };
            trace.push(winner);
        }
        Program::RaceAgainstSilence(n) => {
            let winner = dbos::select! {
                _ = DBOS::recv(NEVER, Duration::from_secs(3600)) => 0,
                n = model_step(name, *n) => n,
            };
            trace.push(winner);
        }
        Program::Sequence(parts) => {
            for part in parts {
                Box::pin(run(part, name, trace)).await?;
            }
        }
    }
    Ok(())
}

/// Whether the program may give this trace: everything is fixed but the winners of races.
fn allows(program: &Program, trace: &mut impl Iterator<Item = u32>) -> bool {
    let mut expect = |numbers: &[u32]| numbers.iter().all(|n| trace.next() == Some(*n));
    match program {
        Program::Step(n) | Program::Child(n) | Program::RaceAgainstSilence(n) => expect(&[*n]),
        Program::Random => expect(&[1]),
        Program::Join(a, b, c) => expect(&[*a, *b, *c]),
        Program::JoinAll(numbers) => expect(numbers),
        Program::Race(a, b) => trace.next().is_some_and(|winner| winner == *a || winner == *b + 10_000),
        Program::Sequence(parts) => parts.iter().all(|part| allows(part, trace)),
    }
}

async fn a_trace_that_no_program_gives_is_found() {
    let program = Program::Sequence(vec![
        Program::Step(1),
        Program::Join(2, 3, 4),
        Program::Race(5, 6),
        Program::RaceAgainstSilence(7),
        Program::Random,
        Program::Child(8),
    ]);
    let may_give = |trace: &[u32]| allows(&program, &mut trace.iter().copied());

    assert!(may_give(&[1, 2, 3, 4, 5, 7, 1, 8]));
    assert!(may_give(&[1, 2, 3, 4, 10_006, 7, 1, 8]), "whoever wins");
    assert!(!may_give(&[1, 2, 4, 3, 5, 7, 1, 8]), "joined calls in another order");
    assert!(!may_give(&[1, 2, 3, 4, 6, 7, 1, 8]), "the loser's value");
    assert!(!may_give(&[1, 2, 3, 4, 5, 0, 1, 8]), "silence won");
    assert!(!may_give(&[1, 1, 2, 3, 4, 5, 7, 1, 8]), "a step twice");
    assert!(!may_give(&[1, 2, 3, 4, 5, 7, 1]), "an end that is missing");
}

/// The step ids that the calls of a program take, those of races' losers and timers included.
fn ids_taken(program: &Program) -> u32 {
    match program {
        Program::Step(_) | Program::Random => 1,
        Program::Child(_) => 2,
        Program::Join(..) | Program::Race(..) => 3,
        Program::JoinAll(numbers) => u32::try_from(numbers.len()).unwrap(),
        Program::RaceAgainstSilence(_) => 4,
        Program::Sequence(parts) => parts.iter().map(ids_taken).sum(),
    }
}

async fn a_random_program_ends_alike_wherever_it_crashes(database: Database) {
    let (programs_to_try, seed) = (chance::setting("DBOS_TEST_PROGRAMS", 2_u64), chance::seed());
    println!("{}: DBOS_TEST_PROGRAMS={programs_to_try} DBOS_TEST_SEED={seed}", database.backend());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut app = App::launch(config(&database)).await;

    let mut crashes = 0;
    for n in 0..programs_to_try {
        let program = programs().new_tree(&mut runner).unwrap().current();
        crashes += crash_everywhere(&database, &mut app, &format!("program-{n}"), &program).await;
    }
    let kind = format!("crashes at each write of {programs_to_try} random programs");
    report(database.backend(), kind, u64::from(crashes), Some(0), &[]);
    assert!(programs_to_try == 0 || crashes > 0);
}

/// Crashes the program at one write after the other until it ends before it comes to the next.
async fn crash_everywhere(database: &Database, app: &mut App, id: &str, program: &Program) -> u32 {
    let whole = Ended::of(database, app, &format!("{id}-whole"), program).await;
    let mut crashes = 0;
    for number in 1.. {
        for side in [Side::Before, Side::After] {
            let place = format!("{id} crashed {side:?} write {number}: {program:?}");
            if !crash_and_compare(database, app, Failpoints::stopping(side, number), &place, program, &whole).await {
                return crashes;
            }
            crashes += 1;
        }
    }
    crashes
}

/// What is left of a run.
#[derive(Debug)]
struct Ended {
    trace: Vec<u32>,
    steps: Vec<(u32, String)>,
}

impl Ended {
    async fn of(database: &Database, app: &App, id: &str, program: &Program) -> Self {
        let running = app.run(async { model_runs(program.clone(), unique("model")).workflow_id(id).await });
        Self { trace: running.await.unwrap(), steps: steps(database, id).await }
    }
}

/// Whether the run came to the failpoint; if it did not, it has ended.
async fn crash_and_compare(
    database: &Database,
    app: &mut App,
    failpoints: Failpoints,
    place: &str,
    program: &Program,
    whole: &Ended,
) -> bool {
    let (id, name) = (unique("crashed"), unique("model"));
    let undisturbed = app.config.clone();
    app.config = undisturbed.clone().failpoints(failpoints.clone());
    app.crash_and_relaunch().await;
    let run = || model_runs(program.clone(), name.clone()).workflow_id(&id);
    let crashed = tokio::select! {
        biased;
        () = failpoints.stopped() => true,
        _ = app.run(async { run().await }) => false,
    };
    let before = steps(database, &id).await;
    app.config = undisturbed;
    app.crash_and_relaunch().await;
    let trace = app.run(async { run().await }).await.unwrap();
    let after = steps(database, &id).await;

    assert!(allows(program, &mut trace.iter().copied()), "{place} gave {trace:?}");
    assert!(allows(program, &mut whole.trace.iter().copied()), "{program:?} gave {:?}", whole.trace);
    assert!(before.iter().all(|step| after.contains(step)), "{place}: {before:?}, then {after:?}");
    assert!(after.iter().all(|(step, _)| *step <= ids_taken(program)), "{place}: {after:?}");
    let without_losers = |steps: &[(u32, String)]| losers_removed(program, steps);
    assert_eq!(without_losers(&after), without_losers(&whole.steps), "{place}");

    // A replay of all of it runs nothing again.
    let ran_before = runs_of(&name);
    app.crash().await;
    rewind(database, &id, "1 = 1").await;
    // It had ended before the crash if its outcome was the last write: then the one who ran it is forgotten.
    let last = app.engine.executor_id();
    let owned = format!("UPDATE dbos.workflow_status SET executor_id = '{last}' WHERE workflow_uuid = '{id}'");
    database.execute(&owned).await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<Vec<u32>>>(&id).await.unwrap(), trace, "{place}");
    assert_eq!((runs_of(&name), steps(database, &id).await), (ran_before, after), "{place}");
    crashed
}

/// The steps but those that take part in a race: which of them are recorded is up to chance.
fn losers_removed(program: &Program, steps: &[(u32, String)]) -> Vec<(u32, String)> {
    let mut racers = Vec::new();
    find_racers(program, &mut 1, &mut racers);
    steps.iter().filter(|(id, _)| !racers.contains(id)).cloned().collect()
}

fn find_racers(program: &Program, next: &mut u32, racers: &mut Vec<u32>) {
    let first = *next;
    match program {
        Program::Race(..) | Program::RaceAgainstSilence(_) => {
            *next += ids_taken(program);
            racers.extend(first + 1..*next);
        }
        Program::Sequence(parts) => parts.iter().for_each(|part| find_racers(part, next, racers)),
        _ => *next += ids_taken(program),
    }
}

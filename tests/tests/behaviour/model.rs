//! Random programs, crashed at random points: the ids and the outcome are those of a run that never crashed.
//!
//! `DBOS_TEST_PROGRAMS` sets how many (default 6), `DBOS_TEST_SEED` which ones; both are printed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dbos::{DBOS, Result, Topic, step, workflow};
use dbos_testkit::{Database, behaviours};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::app::{App, pass, ran, reached, rewind, runs_of, steps, unique};

behaviours! { model:
    a_random_program_ends_alike_wherever_it_crashes within 600,
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

/// A step that may be the place of the crash: the run numbered `crash_at` of all steps stands still there.
#[step]
async fn model_step(name: &str, crash_at: Option<u32>, n: u32) -> u32 {
    let run = ran(name);
    if Some(run) == crash_at {
        pass(&format!("{name}-crash-{run}")).await;
    }
    // Whose turn it is next is up to chance.
    for _ in 0..n % 7 {
        tokio::task::yield_now().await;
    }
    n
}

#[workflow]
async fn model_child(name: String, crash_at: Option<u32>, n: u32) -> Result<u32> {
    Ok(model_step(&name, crash_at, n).await)
}

#[workflow]
async fn model_runs(program: Program, name: String, crash_at: Option<u32>) -> Result<Vec<u32>> {
    let mut trace = Vec::new();
    run(&program, &name, crash_at, &mut trace).await?;
    Ok(trace)
}

async fn run(program: &Program, name: &str, crash_at: Option<u32>, trace: &mut Vec<u32>) -> Result<()> {
    match program {
        Program::Step(n) => trace.push(model_step(name, crash_at, *n).await),
        Program::Random => trace.push(u32::from(DBOS::random().await < 2.0)),
        Program::Child(n) => trace.push(model_child(name.to_owned(), crash_at, *n).await?),
        Program::Join(a, b, c) => {
            let (a, b, c) = tokio::join!(
                model_step(name, crash_at, *a),
                model_step(name, crash_at, *b),
                model_step(name, crash_at, *c)
            );
            trace.extend([a, b, c]);
        }
        Program::JoinAll(numbers) => {
            trace.extend(join_all(numbers.iter().map(|n| model_step(name, crash_at, *n))).await);
        }
        Program::Race(a, b) => {
            let winner = dbos::select! {
                n = model_step(name, crash_at, *a) => n,
                n = model_step(name, crash_at, *b) => n + 10_000,
            };
            trace.push(winner);
        }
        Program::RaceAgainstSilence(n) => {
            let winner = dbos::select! {
                _ = DBOS::recv(NEVER, Duration::from_secs(3600)) => 0,
                n = model_step(name, crash_at, *n) => n,
            };
            trace.push(winner);
        }
        Program::Sequence(parts) => {
            for part in parts {
                Box::pin(run(part, name, crash_at, trace)).await?;
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

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn a_random_program_ends_alike_wherever_it_crashes(database: Database) {
    #[expect(clippy::disallowed_methods, reason = "a seed, which is printed")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (programs_to_try, seed) = (setting("DBOS_TEST_PROGRAMS", 6), setting("DBOS_TEST_SEED", now));
    println!("{}: DBOS_TEST_PROGRAMS={programs_to_try} DBOS_TEST_SEED={seed}", database.backend());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut app = App::launch(&database).await;

    for n in 0..programs_to_try {
        let program = programs().new_tree(&mut runner).unwrap().current();
        let chance = (0..u32::MAX).new_tree(&mut runner).unwrap().current();
        crash_and_compare(&database, &mut app, &format!("program-{n}"), program, chance).await;
    }
}

async fn crash_and_compare(database: &Database, app: &mut App, id: &str, program: Program, chance: u32) {
    let name = unique("model");
    let whole = run_whole(database, app, &format!("{id}-whole"), &program).await;

    // Twice at a random step, once after it has ended.
    let runs = runs_of_whole(&whole.1);
    let crash_at = (runs > 0).then(|| chance % runs + 1);
    let started = model_runs(program.clone(), name.clone(), crash_at);
    app.run(async { DBOS::start_workflow(started).workflow_id(id).await.unwrap() }).await;
    if let Some(crash_at) = crash_at {
        let crashed = format!("{name}-crash-{crash_at}");
        // A race may end without the step that was to stand still.
        tokio::select! {
            () = reached(&crashed) => {}
            _ = app.result::<Result<Vec<u32>>>(id) => {}
        }
    }
    let before = steps(database, id).await;
    app.crash_and_relaunch().await;
    let trace = app.result::<Result<Vec<u32>>>(id).await.unwrap();
    let after = steps(database, id).await;

    assert!(allows(&program, &mut trace.iter().copied()), "{program:?} gave {trace:?}");
    assert!(before.iter().all(|step| after.contains(step)), "{program:?}: {before:?}, then {after:?}");
    assert!(after.iter().all(|(step, _)| *step <= ids_taken(&program)), "{program:?}: {after:?}");
    let without_losers = |steps: &[(u32, String)]| losers_removed(&program, steps);
    assert_eq!(without_losers(&after), without_losers(&whole.1), "{program:?}");

    // A replay of all of it runs nothing again.
    let ran_before = runs_of(&name);
    app.crash().await;
    rewind(database, id, "1 = 1").await;
    app.relaunch().await;
    assert_eq!(app.result::<Result<Vec<u32>>>(id).await.unwrap(), trace, "{program:?}");
    assert_eq!((runs_of(&name), steps(database, id).await), (ran_before, after), "{program:?}");
}

/// Trace and steps of a run that never crashes.
async fn run_whole(database: &Database, app: &App, id: &str, program: &Program) -> (Vec<u32>, Vec<(u32, String)>) {
    let name = unique("model");
    let trace = app.run(async { model_runs(program.clone(), name, None).workflow_id(id).await.unwrap() }).await;
    (trace, steps(database, id).await)
}

fn runs_of_whole(steps: &[(u32, String)]) -> u32 {
    let bodies = steps.iter().filter(|(_, name)| name == "model_step" || name == "model_child");
    u32::try_from(bodies.count()).unwrap()
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

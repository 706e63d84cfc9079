//! Random histories, and the smallest of them that shows a difference.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

/// Goes through `number` of `histories`, the same ones for the same seed. Of those that `go_through` finds fault with, the
/// smallest that is found in two minutes and so many attempts, and what is wrong with it.
pub(crate) async fn search<H, S, F>(
    histories: fn() -> S,
    (number, seed): (u32, u64),
    attempts: u32,
    go_through: impl Fn(H) -> F + Send + 'static,
) -> Result<(), (String, H)>
where
    H: Debug + Send + 'static,
    S: Strategy<Value = H> + 'static,
    F: Future<Output = Result<(), String>>,
{
    let config = Config {
        cases: number,
        failure_persistence: None,
        max_shrink_iters: attempts,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = Handle::current();
    let searched = tokio::task::spawn_blocking(move || {
        runner.run(&histories(), |history| runtime.block_on(go_through(history)).map_err(TestCaseError::fail))
    });
    match searched.await.expect("a failure is a value") {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, history)) => Err((reason.to_string(), history)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

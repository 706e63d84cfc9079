//! Functions that another macro writes.
#![deny(warnings)]
#![allow(clippy::ptr_arg, reason = "the types are given")]

use dbos::{Result, Tx, get_api, step, transaction, workflow};

macro_rules! functions {
    (
        $workflow:ident, $step:ident, $transaction:ident, $route:ident at $path:literal:
        $visibility:vis fn($argument:ident: $ty:ty) -> $output:ty $body:block
    ) => {
        #[workflow(name = $path)]
        $visibility async fn $workflow($argument: $ty) -> Result<$output> {
            let again = $argument.clone();
            $step(&$argument).await?;
            $step(&again).await
        }

        #[step(retries = 1)]
        $visibility async fn $step($argument: &$ty) -> Result<$output> $body

        #[transaction]
        $visibility async fn $transaction(tx: &mut Tx, $argument: $ty) -> Result<$output> {
            let _ = tx;
            $body
        }

        #[get_api($path)]
        $visibility async fn $route($argument: $ty) -> Result<$output> $body
    };
}

functions! {
    count_durably, count, count_in_database, counted at "/counted":
    pub(crate) fn(text: String) -> usize { Ok(text.len()) }
}

macro_rules! borrowing {
    ($name:ident($ty:ty)) => {
        #[step(retries = 1)]
        async fn $name(text: $ty) -> usize {
            text.len()
        }
    };
}

borrowing!(measure(&str));
borrowing!(measure_list(&mut Vec<u8>));

#[tokio::test]
async fn generated_functions_run() {
    assert_eq!(count_durably("four".to_owned()).plain().await.expect("a number"), 4);
    assert_eq!(counted("four".to_owned()).await.expect("a number"), 4);
    assert_eq!((measure("four").await, measure_list(&mut vec![1]).await), (4, 1));
    drop(count_in_database("four".to_owned()));
}

//! Odd bodies, names and attributes.
#![forbid(unsafe_code)]
#![deny(warnings)]

use dbos::{Result, step, workflow};

/// Doc comments, with `code` and "quotes".
///
/// And a second paragraph.
#[workflow]
#[doc(alias = "purchase")]
#[allow(clippy::unused_async)]
async fn documented(/* the amount */ cents: i64) -> Result<i64> {
    //! Inner docs.
    #![allow(unused_variables)]
    let unused = 1;
    Ok(cents)
}

#[cfg(any())]
#[workflow]
async fn left_out(nothing: DoesNotExist) -> Result<()> {
    Ok(())
}

#[workflow]
async fn calls_itself(left: u8) -> Result<u8> {
    if left == 0 { Ok(0) } else { calls_itself(left - 1).plain().await }
}

#[workflow]
async fn r#match(r#type: u8) -> Result<u8> {
    Ok(r#type)
}

#[workflow]
async fn names_of_ours(body: u8, call: u8, codec: u8) -> Result<u8> {
    Ok(body + call + codec)
}

#[step(retries = 1)]
async fn names_of_ours_in_a_step(step: u8, attempts: u8, outcome: u8) -> Result<u8> {
    Ok(step + attempts + outcome)
}

mod inner {
    use dbos::{Result, workflow};

    #[workflow]
    pub(super) async fn calls_itself() -> Result<u8> {
        Ok(2)
    }
}

#[tokio::test]
async fn bodies_run() {
    #[workflow]
    async fn local() -> Result<u8> {
        Ok(3)
    }

    assert_eq!(documented(1).plain().await.expect("a number"), 1);
    assert_eq!(calls_itself(3).plain().await.expect("a number"), 0);
    assert_eq!(r#match(1).plain().await.expect("a number"), 1);
    assert_eq!(names_of_ours(1, 2, 3).plain().await.expect("a number"), 6);
    assert_eq!(names_of_ours_in_a_step(1, 2, 3).await.expect("a number"), 6);
    assert_eq!(inner::calls_itself().plain().await.expect("a number"), 2);
    assert_eq!(local().plain().await.expect("a number"), 3);
}

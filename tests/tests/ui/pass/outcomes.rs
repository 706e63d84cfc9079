//! What functions may return.
#![deny(warnings)]

use std::fmt;

use dbos::{Error, step, workflow};
use serde::{Deserialize, Serialize};

/// A name that the macros must not stumble over.
#[expect(dead_code)]
type Result<T> = std::option::Option<T>;
#[expect(dead_code)]
struct Option;
#[expect(dead_code)]
struct String;
#[expect(dead_code)]
struct Box;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum ShopError {
    SoldOut,
    Dbos(std::string::String),
}

impl fmt::Display for ShopError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl From<Error> for ShopError {
    fn from(error: Error) -> Self {
        Self::Dbos(error.to_string())
    }
}

type Shop<T = ()> = std::result::Result<T, ShopError>;

#[workflow]
async fn alias(fail: bool) -> Shop<u8> {
    if fail { Err(ShopError::SoldOut) } else { Ok(typed(1).await?) }
}

#[workflow]
async fn alias_with_a_default() -> Shop {
    Ok(())
}

#[workflow]
async fn own(fail: bool) -> anyhow::Result<u8> {
    if fail {
        anyhow::bail!("no");
    }
    let number = opaque("7").await?;
    Ok(number)
}

#[workflow]
async fn never_ends() -> dbos::Result<u8> {
    loop {
        tokio::task::yield_now().await;
    }
}

#[step]
async fn typed(value: u8) -> Shop<u8> {
    Ok(value)
}

#[step(timeout = "1s", retries = 1, retry_if = is_temporary)]
async fn limited() -> Shop<u8> {
    Err(ShopError::SoldOut)
}

fn is_temporary(error: &ShopError) -> bool {
    matches!(error, ShopError::Dbos(_))
}

#[step]
async fn opaque(text: &str) -> anyhow::Result<u8> {
    Ok(text.parse()?)
}

#[step]
async fn boxed(text: &str) -> std::result::Result<u8, std::boxed::Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse()?)
}

#[step]
async fn infallible() -> u8 {
    1
}

#[step]
async fn nothing() {}

#[step]
async fn perhaps(value: u8) -> std::option::Option<u8> {
    if value == 0 {
        return None;
    }
    Some(value.checked_add(1)?)
}

#[step]
async fn question_in_the_middle(text: &str) -> std::result::Result<u8, std::string::String> {
    let number = text.parse::<u8>().map_err(|error| error.to_string())?;
    if number > 9 {
        return Err("too large".to_owned());
    }
    Ok(number)
}

#[tokio::test]
async fn outcomes_come_back() {
    assert_eq!(alias(true).plain().await, Err(ShopError::SoldOut));
    assert_eq!(alias(false).plain().await, Ok(1));
    assert_eq!(alias_with_a_default().plain().await, Ok(()));
    assert_eq!(own(true).plain().await.expect_err("it fails").to_string(), "no");
    assert_eq!(own(false).plain().await.expect("a number"), 7);
    assert_eq!(limited().await, Err(ShopError::SoldOut));
    assert!(boxed("x").await.is_err());
    assert_eq!((infallible().await, nothing().await, perhaps(0).await, perhaps(1).await), (1, (), None, Some(2)));
    assert_eq!(question_in_the_middle("12").await, Err("too large".to_owned()));
    drop(never_ends());
}

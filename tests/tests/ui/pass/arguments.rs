//! Several, borrowed, taken apart, `mut` and generic arguments.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::too_many_arguments, clippy::many_single_char_names, reason = "as many as there may be")]

use std::borrow::Cow;
use std::collections::HashMap;

use dbos::{Result, Tx, step, transaction, workflow};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[workflow]
async fn several(mut a: u8, (b, c): (u8, u8), [d, ..]: [u8; 2], _: bool, r#type: String) -> Result<String> {
    a += b + c + d;
    Ok(format!("{type}{a}"))
}

#[workflow]
async fn twelve(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: Option<u8>,
    k: Vec<HashMap<String, u8>>,
    l: (),
) -> Result<usize> {
    let () = l;
    Ok(usize::from(a + b + c + d + e + f + g + h + i + j.unwrap_or(0)) + k.len())
}

#[step]
async fn borrows(text: &str, list: &mut Vec<String>, numbers: &[u8], cow: Cow<'_, str>) -> usize {
    list.push(text.to_owned());
    list.len() + numbers.len() + cow.len()
}

#[step(retries = 2)]
async fn borrows_again<'a>(text: &'a str, list: &mut Vec<String>, mut owned: Vec<u8>) -> Result<usize, String> {
    owned.push(1);
    list.push(text.to_owned());
    Ok(owned.len())
}

#[step]
async fn generic<T, const N: usize>(value: &[T; N]) -> Vec<T>
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned,
{
    value.to_vec()
}

#[step]
async fn open(text: impl Into<String> + Send) -> String {
    text.into()
}

#[step]
async fn calls(function: fn(&str) -> usize, text: &str) -> usize {
    function(text)
}

#[transaction]
async fn in_a_transaction(tx: &mut Tx, item: &str, mut pieces: u32, tags: Vec<String>) -> Result<i64> {
    pieces += 1;
    Ok(tx.now_ms() + i64::from(pieces) + i64::try_from(item.len() + tags.len()).unwrap_or(0))
}

#[transaction]
async fn natively(connection: &mut sqlx::SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT 1").fetch_one(connection).await
}

#[tokio::test]
async fn arguments_arrive() {
    let mut list = Vec::new();

    assert_eq!(several(1, (2, 3), [4, 5], true, "x".to_owned()).plain().await.expect("a text"), "x10");
    assert_eq!(twelve(1, 1, 1, 1, 1, 1, 1, 1, 1, None, vec![], ()).plain().await.expect("a number"), 9);
    assert_eq!(borrows("a", &mut list, &[1, 2], "b".into()).await, 4);
    assert_eq!(borrows_again("a", &mut list, vec![]).await, Ok(1));
    assert_eq!(list, ["a", "a"]);
    assert_eq!(generic(&[1, 2]).await, [1, 2]);
    assert_eq!(open("text").await, "text");
    assert_eq!(calls(str::len, "four").await, 4);
    drop((in_a_transaction("tea", 1, vec![]), natively()));
}

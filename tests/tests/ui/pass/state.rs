//! State on functions of every kind, in every place and shape.
#![deny(warnings)]

use dbos::{DBOS, Result, Tx, get_api, step, transaction, workflow, workflows};

struct Mailer {
    sender: String,
}

struct Limits(u32, u32);

#[workflow]
async fn only_state(#[state] mailer: &Mailer) -> Result<String> {
    Ok(mailer.sender.clone())
}

#[step(retries = 2, timeout = "1s")]
async fn between(first: &str, #[state] Limits(low, high): &Limits, last: &mut u32) -> Result<u32> {
    *last += low + high;
    Ok(*last + u32::try_from(first.len()).unwrap_or_default())
}

#[transaction]
async fn before_the_connection(#[state] mailer: &Mailer, tx: &mut Tx, suffix: String) -> Result<String> {
    tx.query("SELECT 1").execute().await?;
    Ok(format!("{}{suffix}", mailer.sender))
}

#[step]
async fn generic<T: ToString + Send>(what: T, #[state] mailer: &Mailer) -> String {
    format!("{} {}", what.to_string(), mailer.sender)
}

#[get_api("/state/:id")]
#[step]
async fn with_a_route(id: String, #[state] mailer: &Mailer) -> String {
    format!("{id} {}", mailer.sender)
}

struct Shop;

#[workflows]
impl Shop {
    const FEE: u32 = 1;

    #[workflow]
    async fn checkout(#[state] limits: &Limits, amount: u32) -> Result<u32> {
        Ok(amount.min(limits.0) + Self::FEE)
    }
}

impl Mailer {
    #[step]
    async fn own(&self, #[state] limits: &Limits) -> u32 {
        limits.1
    }
}

macro_rules! generated {
    ($name:ident, $ty:ty) => {
        #[step]
        async fn $name(#[state] value: &$ty) -> u32 {
            value.0
        }
    };
}

generated!(of_a_macro, Limits);

#[tokio::test]
async fn state_is_there_and_no_argument() {
    DBOS::provide(Mailer { sender: "ann".to_owned() });
    DBOS::provide(Limits(3, 4));
    let mut last = 1;

    assert_eq!(only_state().plain().await.expect("a name"), "ann");
    assert_eq!(between("ab", &mut last).await.expect("a number"), 10);
    assert_eq!(last, 8);
    drop(before_the_connection("!".to_owned()));
    assert_eq!(generic(7).await, "7 ann");
    assert_eq!(with_a_route("7".to_owned()).await, "7 ann");
    assert_eq!(Shop::checkout(9).plain().await.expect("a number"), 4);
    assert_eq!(Mailer { sender: String::new() }.own().await, 4);
    assert_eq!(of_a_macro().await, 3);
}

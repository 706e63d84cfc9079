//! Functions of types: associated ones, ones that say `Self`, and ones of traits.
#![deny(warnings)]
#![allow(clippy::unused_self, reason = "it is about `self`")]

use dbos::{Result, Tx, WorkflowCall, get_api, step, transaction, workflow, workflows};

struct Shop {
    fee: i64,
}

impl Shop {
    #[workflow]
    async fn checkout(cents: i64) -> Result<i64> {
        Shop { fee: 2 }.charge(cents).await
    }

    #[step(retries = 1)]
    async fn charge(&self, cents: i64) -> Result<i64> {
        Ok(cents + self.fee)
    }

    #[step]
    async fn raise(&mut self, by: i64) -> i64 {
        self.fee += by;
        self.fee
    }

    #[step]
    async fn close(self) -> i64 {
        self.fee
    }

    #[transaction]
    async fn book(&self, tx: &mut Tx, cents: i64) -> Result<i64> {
        Ok(tx.now_ms() + self.fee + cents)
    }

    #[get_api("/shop/fee")]
    async fn fee() -> String {
        "2".to_owned()
    }
}

struct Till<const N: usize>;

#[workflows]
impl Till<3> {
    const FEE: i64 = 3;

    #[workflow]
    async fn close(cents: i64) -> Result<i64> {
        let till = Self;
        Ok(Self::FEE + Self::total(cents).await? + till.drawers())
    }

    #[step]
    async fn total(cents: i64) -> Result<i64> {
        Ok(cents + Self::FEE)
    }

    #[get_api("/till/fee")]
    async fn fee() -> String {
        Self::FEE.to_string()
    }

    fn drawers(&self) -> i64 {
        3
    }
}

trait Pay {
    fn pay(cents: i64) -> WorkflowCall<Result<i64>>;
}

impl Pay for Shop {
    #[workflow]
    async fn pay(cents: i64) -> Result<i64> {
        Ok(cents)
    }
}

#[tokio::test]
async fn methods_are_called_as_written() {
    let mut shop = Shop { fee: 2 };

    assert_eq!(Shop::checkout(1).plain().await.expect("a number"), 3);
    assert_eq!(shop.raise(1).await, 3);
    drop(shop.book(1));
    assert_eq!(shop.close().await, 3);
    assert_eq!((Shop::fee().await, Till::<3>::fee().await), ("2".to_owned(), "3".to_owned()));
    assert_eq!(Till::<3>::close(1).plain().await.expect("a number"), 10);
    assert_eq!(Shop::pay(5).plain().await.expect("a number"), 5);
}

//! Many at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbos_testkit::Database;
use tokio::task::JoinSet;

use crate::guide::Guide;

dbos_testkit::behaviours! { crowds:
    equal_requests_are_all_answered_at_once,
    a_hundred_buyers_share_the_last_twelve within 120,
    of_contradicting_words_the_first_counts,
}

async fn equal_requests_are_all_answered_at_once(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let since = Instant::now();

    let presses = all((0..25).map(|_| {
        let shop = guide.shop.clone();
        async move { shop.post("/checkout/same").await.body }
    }));

    let answers = presses.await;
    assert_eq!(answers.values().collect::<Vec<_>>(), [&25], "{answers:?}");
    assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
    assert_eq!(guide.books().await, (1, 0, 0));
    assert_eq!(guide.sessions.count("SELECT count(*) FROM session").await, 1);
}

async fn a_hundred_buyers_share_the_last_twelve(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    guide.orders.execute("UPDATE products SET inventory = 12").await;

    let buyers = all((0..100).map(|buyer| {
        let shop = guide.shop.clone();
        async move { shop.post(&format!("/checkout/buyer-{buyer}")).await.status }
    }));

    assert_eq!(buyers.await, BTreeMap::from([(200, 12), (409, 88)]));
    assert_eq!(guide.orders.count("SELECT inventory FROM products WHERE product_id = 1").await, 0);
    assert_eq!(guide.sessions.count("SELECT count(*) FROM session").await, 12);
}

async fn of_contradicting_words_the_first_counts(database: Database) {
    let guide = Guide::on(database).await;
    let _open = guide.open().await;
    let bill = guide.checkout("/checkout").await;

    let words = all((0..20).map(|word| {
        let (name, command) = if word % 2 == 0 { ("submit", &bill.submit) } else { ("cancel", &bill.cancel) };
        let request = command.request();
        async move { (name, request.send().await.expect("an answer").status) }
    }));

    let answers = words.await;
    guide.until_all_is_over().await;
    let books = guide.books().await;
    let (submit, cancel) = if books == (1, 1, 1) { (204, 409) } else { (409, 204) };
    assert!(books == (1, 1, 1) || books == (0, 0, 0), "{books:?}");
    assert_eq!(answers, BTreeMap::from([(("submit", submit), 10), (("cancel", cancel), 10)]));
}

/// All at the same time; how many had which answer.
async fn all<A, F>(asked: impl Iterator<Item = F>) -> BTreeMap<A, usize>
where
    A: Ord + Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let asked: JoinSet<A> = asked.collect();
    let mut answers = BTreeMap::new();
    for answer in asked.join_all().await {
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

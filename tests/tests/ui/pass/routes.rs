//! Routes combine with the other attributes in either order.
#![deny(warnings)]

use dbos::{HttpError, Result, Tx, delete_api, get_api, patch_api, post_api, put_api, step, transaction, workflow};

#[get_api("/plain/:id")]
async fn plain(id: i64, verbose: Option<bool>) -> Result<String, HttpError> {
    Ok(format!("{id} {verbose:?}"))
}

#[get_api("/many")]
#[put_api("/many")]
#[patch_api("/many/{part}")]
async fn many(part: Option<String>) -> Option<String> {
    part
}

#[post_api("/hook/:shop?")]
#[put_api("/hooks/:shop?")]
async fn hook(
    #[default("main")] shop: String,
    #[header("stripe-signature")] signature: String,
    #[header] user_agent: Option<String>,
    #[query]
    #[default(20)]
    limit: u32,
    #[raw] body: dbos::http::Bytes,
) -> String {
    format!("{shop} {signature} {user_agent:?} {limit} {}", body.len())
}

#[workflow]
#[post_api("/workflow/whole")]
async fn whole_body_of_a_workflow(#[body] (first, second): (i64, i64), #[query] by: i64) -> Result<i64> {
    Ok((first + second) * by)
}

#[post_api("/transaction/whole")]
#[transaction]
async fn whole_body_of_a_transaction(tx: &mut Tx, #[body] ids: Vec<i64>, #[header("x-by")] by: i64) -> Result<i64> {
    Ok(tx.now_ms() + ids.iter().sum::<i64>() * by)
}

#[post_api("/workflow/above")]
#[workflow]
async fn route_above_workflow(item: String) -> Result<String> {
    Ok(item)
}

#[workflow(name = "route below")]
#[post_api("/workflow/below/:item")]
async fn route_below_workflow(item: String) -> Result<String> {
    Ok(item)
}

#[delete_api("/transaction/above")]
#[transaction]
async fn route_above_transaction(tx: &mut Tx, id: i64) -> Result<i64> {
    Ok(tx.now_ms() + id)
}

#[transaction(read_only)]
#[delete_api("/transaction/below/:id?")]
async fn route_below_transaction(tx: &mut Tx, id: Option<i64>) -> Result<i64> {
    Ok(tx.now_ms() + id.unwrap_or(0))
}

#[get_api("/step/above")]
#[step(retries = 2)]
async fn route_above_step(text: String) -> Result<String> {
    Ok(text)
}

#[step]
#[dbos::get_api("/step/below")]
#[dbos::post_api("/step/below")]
async fn route_below_step(text: String) -> Result<String> {
    Ok(text)
}

#[tokio::test]
async fn what_has_a_route_can_still_be_called() {
    assert_eq!(plain(7, None).await.expect("a text"), "7 None");
    assert_eq!(many(None).await, None);
    assert_eq!(hook("a".to_owned(), "s".to_owned(), None, 1, "body".into()).await, "a s None 1 4");
    assert_eq!(whole_body_of_a_workflow((1, 2), 3).plain().await.expect("a number"), 9);
    drop(whole_body_of_a_transaction(vec![1], 2));
    assert_eq!(route_above_workflow("a".to_owned()).plain().await.expect("a text"), "a");
    assert_eq!(route_below_workflow("b".to_owned()).plain().await.expect("a text"), "b");
    assert_eq!(route_above_step("c".to_owned()).await.expect("a text"), "c");
    assert_eq!(route_below_step("d".to_owned()).await.expect("a text"), "d");
    drop((route_above_transaction(1), route_below_transaction(None)));
}

#[test]
fn every_route_is_registered_once() {
    let mut found: Vec<_> = dbos::__private::inventory::iter::<dbos::__private::Route>
        .into_iter()
        .filter(|route| route.module == module_path!())
        .map(|route| format!("{} {} {}", route.method, route.path, route.function))
        .collect();
    found.sort();

    assert_eq!(
        found,
        [
            "DELETE /transaction/above route_above_transaction",
            "DELETE /transaction/below/:id? route_below_transaction",
            "GET /many many",
            "GET /plain/:id plain",
            "GET /step/above route_above_step",
            "GET /step/below route_below_step",
            "PATCH /many/{part} many",
            "POST /hook/:shop? hook",
            "POST /step/below route_below_step",
            "POST /transaction/whole whole_body_of_a_transaction",
            "POST /workflow/above route_above_workflow",
            "POST /workflow/below/:item route_below_workflow",
            "POST /workflow/whole whole_body_of_a_workflow",
            "PUT /hooks/:shop? hook",
            "PUT /many many",
        ]
    );
}

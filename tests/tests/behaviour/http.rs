//! Routes: what they take from a request, and what they do with the workflows behind them.

use axum::extract::Request;
use axum::middleware::{self, Next};
use dbos::http::{self, Bytes, Redirect, Reply};
use dbos::{DBOS, HttpError, Result, Tx, get_api, post_api, transaction, workflow};
use dbos_testkit::http::{Request as Ask, Response, get, post};
use dbos_testkit::{App, Database, behaviours};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use crate::app::config;

behaviours! { http:
    arguments_come_from_where_they_say,
    a_body_reaches_a_workflow_as_one_value,
    an_answer_names_the_workflow_that_was_started,
}

/// Serves every route of this program on behalf of `app`'s engine, and gives the URL.
async fn serve(app: &App) -> String {
    let engine = app.engine.clone();
    let in_engine = move |request: Request, next: Next| engine.scope(next.run(request));
    let router = http::router().expect("good routes").layer(middleware::from_fn(in_engine));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn send(request: Ask) -> Response {
    request.send().await.expect("an answer")
}

#[post_api("/http/hook/:shop?")]
async fn hook(
    #[default("main")] shop: String,
    #[header("stripe-signature")] signature: String,
    #[header] user_agent: Option<String>,
    #[query]
    #[default(20)]
    limit: u32,
    #[raw] body: Bytes,
) -> Reply<String> {
    Reply::new(format!("{shop} {signature} {user_agent:?} {limit} {body:?}")).status(202)
}

#[get_api("/http/old")]
async fn old() -> Redirect {
    Redirect::to("/http/new")
}

async fn arguments_come_from_where_they_say(database: Database) {
    let url = serve(&App::launch(config(&database)).await).await;

    let all = Ask::new("POST", format!("{url}/http/hook/corner?limit=3"))
        .header("Stripe-Signature", "t=1,v1=ab")
        .header("User-Agent", "curl")
        .header("Content-Type", "application/json")
        .body("{\"a\" :1.0}\n");
    let all = send(all).await;
    assert_eq!((all.status, all.body.as_str()), (202, r#"corner t=1,v1=ab Some("curl") 3 b"{\"a\" :1.0}\n""#));

    let few = send(Ask::new("POST", format!("{url}/http/hook")).header("stripe-signature", "s")).await;
    assert_eq!((few.status, few.body.as_str()), (202, r#"main s None 20 b"""#));

    for (query, name, value) in
        [("", "other", "s"), ("?limit=1&limit=2", "stripe-signature", "s"), ("?limit=0x1", "stripe-signature", "s")]
    {
        let refused = send(Ask::new("POST", format!("{url}/http/hook{query}")).header(name, value)).await;
        assert_eq!(refused.status, 400, "{query} {name}: {}", refused.body);
    }

    let moved = get(format!("{url}/http/old")).await.expect("an answer");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/http/new")));
}

#[derive(Debug, Deserialize, Serialize)]
struct Order {
    item: String,
    count: u32,
}

#[post_api("/http/order")]
#[workflow]
async fn order(#[body] order: Order, #[query] discount: Option<u32>) -> Result<String> {
    Ok(format!("{} {} {discount:?}", order.count, order.item))
}

async fn a_body_reaches_a_workflow_as_one_value(database: Database) {
    let url = serve(&App::launch(config(&database)).await).await;

    let as_json = Ask::new("POST", format!("{url}/http/order?discount=5")).json(&json!({ "item": "nut", "count": 2 }));
    let as_form = Ask::new("POST", format!("{url}/http/order"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("item=nut&count=3");

    assert_eq!(send(as_json).await.body, "2 nut Some(5)");
    assert_eq!(send(as_form).await.body, "3 nut None");
}

#[workflow]
async fn greet(name: String) -> Result<String> {
    Ok(format!("hello {name}"))
}

#[post_api("/http/greet/:name")]
async fn start_greeting(name: String) -> Result<String> {
    let first = DBOS::start_workflow(greet(name.clone())).workflow_id(format!("first-{name}")).await?;
    DBOS::start_workflow(greet(name)).await?;
    first.result().await
}

#[post_api("/http/fail/:name")]
async fn start_and_fail(name: String) -> Result<(), HttpError> {
    DBOS::start_workflow(greet(name.clone())).workflow_id(name).await?;
    Err(HttpError::new(409, "started, and then something else went wrong"))
}

#[post_api("/http/now")]
#[transaction]
async fn database_time(tx: &mut Tx) -> Result<i64> {
    Ok(tx.now_ms())
}

async fn an_answer_names_the_workflow_that_was_started(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let ask = async |path: &str| post(format!("{url}{path}")).await.expect("an answer");

    let greeted = ask("/http/greet/ann").await;
    assert_eq!((greeted.body.as_str(), greeted.header("dbos-workflow-id")), ("hello ann", Some("first-ann")));
    let failed = ask("/http/fail/bob").await;
    assert_eq!((failed.status, failed.header("dbos-workflow-id")), (409, Some("bob")));
    let ordered = Ask::new("POST", format!("{url}/http/order")).json(&json!({ "item": "nut", "count": 2 }));
    let ordered = send(ordered).await;
    let id = ordered.header("dbos-workflow-id").expect("the id of the workflow that the route is");
    assert_eq!(app.result::<Result<String>>(id).await.expect("a text"), ordered.body);
    assert_eq!(ask("/http/now").await.header("dbos-workflow-id"), None);
}

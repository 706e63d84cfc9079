//! Routes: what they take from a request, and what they do with the workflows behind them.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::{Extension, Router};
use dbos::http::{self, Bytes, Identity, Redirect, Reply};
use dbos::{DBOS, HttpError, Result, Tx, authenticator, get_api, post_api, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, runs_of, unique};
use dbos_testkit::http::{Request as Ask, Response, get, post};
use dbos_testkit::{App, Database, behaviours};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app::config;

behaviours! { http:
    arguments_come_from_where_they_say,
    a_body_reaches_a_workflow_as_one_value,
    an_answer_names_the_workflow_that_was_started,
    a_route_that_is_a_workflow_runs_once_for_a_key,
    a_transaction_behind_a_route_runs_once_for_a_key,
    a_step_behind_a_route_goes_on_after_a_crash,
    a_header_that_is_an_argument_is_there_with_a_key_too,
    a_handlers_key_goes_to_the_first_workflow_it_starts,
    an_unusable_key_is_refused_before_anything_happens,
    a_trace_goes_on_in_the_workflow_and_after_a_crash,
    a_stranger_a_user_and_an_admin_get_401_403_and_200,
    user_and_roles_are_recorded_with_the_workflow_and_its_children,
    an_application_of_ones_own_serves_the_routes_beside_its_own,
    a_reader_of_events_that_reconnects_misses_and_repeats_nothing,
}

/// Serves every route of this program on behalf of `app`'s engine, and gives the URL.
pub(crate) async fn serve(app: &App) -> String {
    let engine = app.engine.clone();
    let in_engine = move |request: Request, next: Next| engine.scope(next.run(request));
    let router = DBOS::router().expect("good routes").layer(middleware::from_fn(in_engine));
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

/// A request with an idempotency key.
fn keyed(url: &str, key: &str) -> Ask {
    Ask::new("POST", url).header("dbos-idempotency-key", key)
}

async fn a_route_that_is_a_workflow_runs_once_for_a_key(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let order =
        |count: u32| keyed(&format!("{url}/http/order"), "order-7").json(&json!({ "item": "nut", "count": count }));

    let first = send(order(2)).await;
    let again = send(order(2)).await;
    let other = send(order(3)).await;
    let elsewhere = send(keyed(&format!("{url}/http/greet/ann/once"), "order-7")).await;

    assert_eq!(
        (first.status, first.body.as_str(), first.header("dbos-workflow-id")),
        (200, "2 nut None", Some("order-7"))
    );
    assert_eq!(
        (again.status, again.body.as_str(), again.header("dbos-workflow-id")),
        (200, "2 nut None", Some("order-7"))
    );
    assert_eq!(other.status, 422, "{}", other.body);
    assert_eq!(elsewhere.status, 409, "{}", elsewhere.body);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

#[post_api("/http/greet/:name/once")]
#[workflow]
async fn greet_once(name: String) -> Result<String> {
    Ok(format!("hello {name}"))
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Entry {
    amount: i64,
}

#[post_api("/http/book")]
#[transaction]
async fn book(tx: &mut Tx, #[body] entry: Entry) -> Result<i64, HttpError> {
    if entry.amount == 0 {
        return Err(HttpError::new(400, "nothing to book"));
    }
    let insert = tx.query("INSERT INTO bookings (amount) VALUES ($1)").bind(entry.amount).execute().await;
    insert.map_err(|error| HttpError::new(500, error.to_string()))?;
    let booked = tx.query("SELECT count(*) FROM bookings").fetch_scalar().await;
    booked.map_err(|error| HttpError::new(500, error.to_string()))
}

async fn a_transaction_behind_a_route_runs_once_for_a_key(database: Database) {
    let mut app = App::launch(config(&database)).await;
    database.execute("CREATE TABLE bookings (amount BIGINT)").await;
    let book = async |url: &str, key: &str, amount: i64| {
        send(keyed(&format!("{url}/http/book"), key).json(&json!({ "amount": amount }))).await
    };
    let url = serve(&app).await;

    let first = book(&url, "b-1", 5).await;
    let second = book(&url, "b-2", 5).await;
    let again = book(&url, "b-1", 5).await;
    let other = book(&url, "b-1", 6).await;
    let refused = book(&url, "b-3", 0).await;
    let refused_again = book(&url, "b-3", 0).await;
    app.crash_and_relaunch().await;
    let url = serve(&app).await;
    let after_the_crash = book(&url, "b-1", 5).await;
    let without_a_key = send(Ask::new("POST", format!("{url}/http/book")).json(&json!({ "amount": 5 }))).await;
    let long_key = book(&url, &"k".repeat(255), 5).await;
    let long_key_again = book(&url, &"k".repeat(255), 5).await;

    for answer in [&first, &again, &after_the_crash] {
        assert_eq!((answer.status, answer.body.as_str()), (200, "1"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("dbos-workflow-id"), Some("POST /http/book b-1"));
    }
    assert_eq!((second.body.as_str(), without_a_key.body.as_str()), ("2", "3"));
    assert_eq!((long_key.body.as_str(), long_key_again.body.as_str()), ("4", "4"));
    assert_eq!(other.status, 422, "{}", other.body);
    assert_eq!((refused.status, refused_again.status), (400, 400));
    assert_eq!(refused_again.json::<serde_json::Value>()["message"], "nothing to book");
    assert_eq!(database.count("SELECT count(*) FROM bookings").await, 4);
}

#[post_api("/http/slow/:name")]
#[step]
async fn slow(name: String, #[header("x-by")] by: String, #[raw] body: Vec<u8>) -> Result<String> {
    ran(&name);
    pass(&name).await;
    Ok(format!("{name} {by} {body:?}"))
}

async fn a_step_behind_a_route_goes_on_after_a_crash(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("slow");
    let ask = |url: &str| keyed(&format!("{url}/http/slow/{name}"), "s-1").header("x-by", "ann").body([0, 255]);

    let lost = tokio::spawn(ask(&serve(&app).await).send());
    reached(&name).await;
    app.crash().await;
    lost.abort();
    open(&name);
    app.relaunch().await;
    let answer = send(ask(&serve(&app).await)).await;

    assert_eq!((answer.status, answer.body), (200, format!("{name} ann [0, 255]")));
    assert_eq!(runs_of(&name), 2);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").await, 1);
}

#[post_api("/http/agent")]
#[step]
async fn agent(#[header] user_agent: Option<String>) -> Result<Vec<Option<String>>> {
    Ok(vec![user_agent, http::header("user-agent"), http::request_id()])
}

#[post_api("/http/agent/kept")]
#[workflow]
async fn kept_agent(#[header] user_agent: Option<String>) -> Result<Vec<Option<String>>> {
    Ok(vec![user_agent, http::header("user-agent"), http::request_id()])
}

async fn a_header_that_is_an_argument_is_there_with_a_key_too(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let told = async |ask: Ask| {
        let answer = send(ask.header("user-agent", "curl").header("x-request-id", "r-2")).await;
        answer.json::<Vec<Option<String>>>().into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()
    };

    let here = told(Ask::new("POST", format!("{url}/http/agent"))).await;
    let with_a_key = told(keyed(&format!("{url}/http/agent"), "a-1")).await;
    let in_a_workflow = told(Ask::new("POST", format!("{url}/http/agent/kept"))).await;

    assert_eq!(here, ["curl", "curl", "r-2"]);
    assert_eq!(with_a_key, ["curl", "", ""], "it could be another process, after a crash, that runs it");
    assert_eq!(in_a_workflow, ["curl", "", ""]);
}

#[post_api("/http/two/:name")]
async fn start_two(name: String) -> Result<Vec<String>> {
    let named = DBOS::start_workflow(greet(name.clone())).workflow_id(format!("named-{name}")).await?;
    let first = DBOS::start_workflow(greet(name.clone())).await?;
    let second = DBOS::start_workflow(greet(name)).await?;
    Ok([named, first, second].map(|handle| handle.workflow_id().to_owned()).into())
}

async fn a_handlers_key_goes_to_the_first_workflow_it_starts(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let ask = async |key: &str, name: &str| send(keyed(&format!("{url}/http/two/{name}"), key)).await;

    let first = ask("two-1", "ann").await;
    let again = ask("two-1", "ann").await;
    let other = ask("two-1", "bob").await;

    let (first, again) = (first.json::<Vec<String>>(), again.json::<Vec<String>>());
    assert_eq!((first[0].as_str(), first[1].as_str()), ("named-ann", "two-1"));
    assert_eq!((&again[0], &again[1]), (&first[0], &first[1]));
    assert_ne!(again[2], first[2]);
    assert_eq!(other.status, 422, "{}", other.body);
}

async fn an_unusable_key_is_refused_before_anything_happens(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let nut = json!({ "item": "nut", "count": 1 });

    for path in ["/http/order", "/http/two/ann", "/http/book"] {
        let ask = |key: &str| keyed(&format!("{url}{path}"), key).json(&nut);
        for request in [ask(&"k".repeat(256)), ask(""), ask("a").header("dbos-idempotency-key", "a"), ask("é")] {
            let answer = send(request).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        }
    }
    assert_eq!(send(keyed(&format!("{url}/http/order"), &"k".repeat(255)).json(&nut)).await.status, 200);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 1);
}

#[workflow]
async fn traced_child(name: String) -> Result<Vec<Option<String>>> {
    pass(&name).await;
    Ok(vec![DBOS::traceparent(), DBOS::authenticated_user(), DBOS::assumed_role()])
}

#[post_api("/http/traced/:name")]
#[workflow]
async fn traced(name: String) -> Result<Vec<Option<String>>> {
    traced_child(name).await
}

async fn a_trace_goes_on_in_the_workflow_and_after_a_crash(database: Database) {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut app = App::launch(config(&database)).await;
    let name = unique("traced");
    let ask = |url: &str| {
        keyed(&format!("{url}/http/traced/{name}"), "t-1")
            .header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .header("x-request-id", "r-1")
    };

    let lost = tokio::spawn(ask(&serve(&app).await).send());
    reached(&name).await;
    app.crash().await;
    lost.abort();
    open(&name);
    app.relaunch().await;
    let answer = send(ask(&serve(&app).await)).await;

    let sent = answer.header("traceparent").expect("the trace goes out again");
    assert!(sent.starts_with(&format!("00-{TRACE}-")) && !sent.contains("00f067aa0ba902b7"), "{sent}");
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    let seen = answer.json::<Vec<Option<String>>>()[0].clone().expect("the child has the trace");
    assert!(seen.starts_with(&format!("00-{TRACE}-")), "{seen}");
    let recorded = "SELECT request FROM dbos.workflow_status WHERE workflow_uuid = 't-1'";
    let recorded = database.value(recorded).await.expect("a request");
    let recorded: serde_json::Value = serde_json::from_str(&recorded).expect("JSON");
    assert_eq!(recorded["requestID"], "r-1");
    assert_eq!((&recorded["method"], &recorded["path"]), (&json!("POST"), &json!(format!("/http/traced/{name}"))));
    assert_eq!(recorded["traceparent"], seen);
}

#[authenticator]
async fn bearer() -> Result<Option<Identity>, HttpError> {
    match http::bearer_token().as_deref() {
        None => Ok(None),
        Some("ann's token") => Ok(Some(Identity::new("ann", ["customer", "admin"]))),
        Some("bob's token") => Ok(Some(Identity::new("bob", ["customer"]))),
        Some(_) => Err(HttpError::new(401, "this token is not known")),
    }
}

#[get_api("/http/whoami")]
async fn whoami() -> Option<String> {
    DBOS::authenticated_user()
}

#[get_api("/http/account", authenticated)]
async fn account() -> Option<String> {
    DBOS::authenticated_user()
}

#[post_api("/http/refund/:name", required_roles = ["clerk", "admin"])]
#[workflow]
async fn refund(name: String) -> Result<Vec<Option<String>>> {
    traced_child(name).await
}

async fn a_stranger_a_user_and_an_admin_get_401_403_and_200(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let name = unique("refund");
    open(&name);
    let ask = async |method: &str, path: &str, token: Option<&str>| {
        let request = Ask::new(method, format!("{url}{path}"));
        let answer = match token {
            Some(token) => send(request.header("Authorization", &format!("Bearer {token}"))).await,
            None => send(request).await,
        };
        assert_eq!(answer.header("www-authenticate"), (answer.status == 401).then_some("Bearer"));
        (answer.status, answer.body)
    };
    let refund = format!("/http/refund/{name}");

    for (token, open, account, refunded) in [
        (None, 204, 401, 401),
        (Some("nobody's token"), 401, 401, 401),
        (Some("bob's token"), 200, 200, 403),
        (Some("ann's token"), 200, 200, 200),
    ] {
        assert_eq!(ask("GET", "/http/whoami", token).await.0, open, "{token:?}");
        assert_eq!(ask("GET", "/http/account", token).await.0, account, "{token:?}");
        assert_eq!(ask("POST", &refund, token).await.0, refunded, "{token:?}");
        assert_eq!(ask("GET", "/dbos-healthz", token).await.0, 200, "{token:?}");
    }
    assert_eq!(ask("GET", "/http/account", Some("bob's token")).await.1, "bob");
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE name = 'refund'").await, 1);
}

async fn user_and_roles_are_recorded_with_the_workflow_and_its_children(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let name = unique("refund");
    let ask =
        |url: &str| keyed(&format!("{url}/http/refund/{name}"), "f-1").header("Authorization", "bearer ann's token");

    let lost = tokio::spawn(ask(&serve(&app).await).send());
    reached(&name).await;
    app.crash().await;
    lost.abort();
    open(&name);
    app.relaunch().await;
    let answer = send(ask(&serve(&app).await)).await.json::<Vec<Option<String>>>();

    assert_eq!(answer[1..], [Some("ann".to_owned()), Some("admin".to_owned())]);
    let recorded = "SELECT count(*) FROM dbos.workflow_status
                     WHERE authenticated_user = 'ann' AND authenticated_roles = '[\"customer\",\"admin\"]'
                       AND assumed_role = 'admin'";
    assert_eq!(database.count(recorded).await, 2);
}

/// What an application of one's own gives its handlers.
#[derive(Clone)]
struct Greeting(&'static str);

#[get_api("/http/extracted")]
async fn extracted(
    #[extract] Extension(Greeting(greeting)): Extension<Greeting>,
    #[extract] axum::extract::Query(Page { page }): axum::extract::Query<Page>,
    name: String,
) -> String {
    format!("{greeting} {name} {page}")
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

#[post_api("/http/extracted")]
async fn extracted_whole(
    #[extract] Extension(Greeting(greeting)): Extension<Greeting>,
    #[extract(body)] axum::Json(Page { page }): axum::Json<Page>,
) -> String {
    format!("{greeting} {page}")
}

#[get_api("/http/panic")]
async fn panic() {
    panic!("password is hunter2");
}

async fn an_application_of_ones_own_serves_the_routes_beside_its_own(database: Database) {
    let app = App::launch(config(&database)).await;
    let engine = app.engine.clone();
    let in_engine = move |request: Request, next: Next| engine.scope(next.run(request));
    let routes = DBOS::router().expect("good routes").layer(Extension(Greeting("hello")));
    let mine = Router::new().route("/mine", axum::routing::get(|| async { "mine" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let served = mine.merge(routes).layer(middleware::from_fn(in_engine));
    tokio::spawn(async move { axum::serve(listener, served).await });
    let ask = async |path: &str| get(format!("{url}{path}")).await.expect("an answer");

    assert_eq!(ask("/mine").await.body, "mine");
    assert_eq!(ask("/http/extracted?name=ann&page=2").await.body, "hello ann 2");
    let refused = ask("/http/extracted?name=ann&page=x").await;
    let told: serde_json::Value = refused.json();
    assert_eq!((refused.status, &told["status"]), (400, &json!(400)));
    assert!(told["message"].as_str().is_some_and(|message| message.contains("page")), "{told}");
    let body = json!({ "page": 7 });
    let whole =
        |header: &str, value: &str| Ask::new("POST", format!("{url}/http/extracted")).header(header, value).json(&body);
    assert_eq!(send(whole("sec-fetch-site", "same-origin")).await.body, "hello 7");
    assert_eq!(send(whole("origin", "https://evil.example")).await.status, 403);
    assert_eq!(send(whole("sec-fetch-site", "cross-site")).await.status, 403);
    let panicked = ask("/http/panic").await;
    assert_eq!((panicked.status, panicked.body.contains("hunter2")), (500, false));
    assert_eq!(panicked.json::<serde_json::Value>()["request_id"].as_str(), panicked.header("x-request-id"));
}

const STAGE: dbos::Event<String> = dbos::Event::new("stage");
const OTHER: dbos::Event<String> = dbos::Event::new("other");

#[workflow]
async fn staged(name: String) -> Result<()> {
    DBOS::set_event(STAGE, "one").await?;
    DBOS::set_event(OTHER, "not this").await?;
    DBOS::set_event(STAGE, "two").await?;
    pass_through(&name).await;
    DBOS::set_event(STAGE, "three").await
}

#[step]
async fn pass_through(name: &str) {
    pass(name).await;
}

#[get_api("/http/stages/:id")]
async fn stages(id: String) -> Result<http::Sse> {
    http::Sse::of_event(id, STAGE)
}

async fn a_reader_of_events_that_reconnects_misses_and_repeats_nothing(database: Database) {
    const FIRST: &str = "id: 1\nevent: stage\ndata: \"one\"\n\nid: 3\nevent: stage\ndata: \"two\"\n\n";
    const REST: &str = "id: 5\nevent: stage\ndata: \"three\"\n\n";
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let name = unique("staged");
    let read = |last: &str| Ask::new("GET", format!("{url}/http/stages/s-1")).header("Last-Event-ID", last).send();

    // A reader that comes before the workflow, and one that sees it begin and then loses its connection.
    let early = tokio::spawn(read(""));
    app.run(async { DBOS::start_workflow(staged(name.clone())).workflow_id("s-1").await }).await.expect("it starts");
    let mut lost = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection");
    let asked = b"GET /http/stages/s-1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    lost.write_all(asked).await.expect("the server reads");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\"two\"") {
        assert!(lost.read_buf(&mut seen).await.expect("the server answers") > 0, "the stream ended early");
    }
    drop(lost);
    reached(&name).await;
    let reconnected = tokio::spawn(read("3"));
    open(&name);

    let reconnected = reconnected.await.expect("no panic").expect("an answer");
    assert_eq!(reconnected.header("content-type"), Some("text/event-stream"));
    assert_eq!(reconnected.body, REST);
    assert_eq!(early.await.expect("no panic").expect("an answer").body, format!("{FIRST}{REST}"));
    assert_eq!(read("5").await.expect("an answer").body, "");
    assert_eq!(read("x").await.expect("an answer").status, 400);
}

//! What a program tells of its routes, made of the routes themselves.

#![allow(clippy::unused_async, reason = "a route is async")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use dbos::http::{Bytes, Documentation, Html, Identity, Redirect, Reply, Response, Sse};
use dbos::{DBOS, Error, HttpError, Result, authenticator, delete_api, get_api, post_api, put_api, step, workflow};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Green,
}

/// A thing with a name.
#[derive(Deserialize, JsonSchema, Serialize)]
struct Thing {
    name: String,
    #[serde(default)]
    count: u32,
    colour: Option<Colour>,
}

/// Nobody knows what is in it.
#[derive(Deserialize, Serialize)]
struct Sealed {
    secret: String,
}

/// Finds things.
///
/// The oldest
/// first.
///
/// # Errors
///
/// - 404: There is none of
///   that colour.
#[get_api("/things/:colour")]
async fn find(
    colour: Colour,
    least: Option<i32>,
    #[default(20)] most: u32,
    #[header("x-shop")] shop: String,
) -> Result<Vec<Thing>, HttpError> {
    Err(HttpError::new(404, format!("{least:?} {most} {shop} {:?}", json!(colour))))
}

#[post_api("/things")]
#[workflow]
async fn make(name: String, parts: Option<Vec<String>>, #[query] urgent: bool) -> Result<Thing> {
    drop(parts);
    Ok(Thing { name, count: u32::from(urgent), colour: None })
}

#[put_api("/things/{name}")]
#[step]
async fn replace(name: String, #[body] thing: Thing) -> Result<()> {
    drop((name, thing));
    Ok(())
}

#[post_api("/login")]
async fn login(user: String, remember: Option<bool>) -> Redirect {
    Redirect::to(format!("/{user}/{remember:?}"))
}

#[post_api("/raw")]
async fn raw(#[raw] body: Bytes) -> Bytes {
    body
}

#[post_api("/sealed/:key?", required_roles = ["clerk", "admin"], timeout = "1s")]
async fn sealed(key: Option<String>, #[body] sealed: Sealed) -> Reply<Sealed> {
    drop(key);
    Reply::new(sealed).status(201)
}

#[get_api("/text")]
async fn text() -> &'static str {
    ""
}

#[get_api("/page")]
async fn page() -> Html<String> {
    Html(String::new())
}

#[get_api("/perhaps")]
async fn perhaps() -> Result<Option<Thing>> {
    Ok(None)
}

#[delete_api("/things/:thing")]
async fn remove(thing: Colour) -> Result<(), Error> {
    Err(Error::new(json!(thing).to_string()))
}

#[get_api("/events/:id")]
async fn events(id: String) -> Result<Sse> {
    Sse::of_event(id, dbos::Event::<u32>::new("progress"))
}

#[get_api("/anything")]
async fn anything() -> Response {
    Response::default()
}

#[authenticator]
async fn nobody() -> Result<Option<Identity>, HttpError> {
    Ok(None)
}

async fn get(router: Router, path: &str) -> (StatusCode, Bytes) {
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).expect("a request");
    let answer = router.oneshot(request).await.expect("an answer");
    let status = answer.status();
    (status, answer.into_body().collect().await.expect("a body").to_bytes())
}

async fn document() -> Value {
    let (status, document) = get(DBOS::router().expect("routes"), "/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&document).expect("JSON")
}

/// The parameter `name` of an operation.
fn parameter<'a>(operation: &'a Value, name: &str) -> &'a Value {
    let parameters = operation["parameters"].as_array().expect("parameters");
    parameters.iter().find(|parameter| parameter["name"] == name).expect(name)
}

/// The statuses that an operation answers with.
fn statuses(operation: &Value) -> Vec<&str> {
    operation["responses"].as_object().expect("responses").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn each_argument_is_told_with_its_place_its_type_and_whether_it_may_be_missing() {
    let find = &document().await["paths"]["/things/{colour}"]["get"];

    let told = |name: &str| {
        let told = parameter(find, name);
        json!([told["in"], told["required"], told["schema"]])
    };
    assert_eq!(told("colour"), json!(["path", true, { "$ref": "#/components/schemas/Colour" }]));
    let int32 = json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX });
    assert_eq!(told("least"), json!(["query", false, int32]));
    let uint32 = json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX, "default": 20 });
    assert_eq!(told("most"), json!(["query", false, uint32]));
    assert_eq!(told("x-shop")[0], "header");
    assert_eq!(told("x-shop")[1], true);
}

#[tokio::test]
async fn a_doc_comment_is_summary_description_and_the_errors_it_lists() {
    let find = &document().await["paths"]["/things/{colour}"]["get"];

    assert_eq!(find["operationId"], "find");
    assert_eq!(find["tags"], json!(["openapi"]));
    assert_eq!(find["summary"], "Finds things");
    assert_eq!(find["description"], "Finds things.\n\nThe oldest\nfirst.");
    assert_eq!(find["responses"]["404"]["description"], "There is none of that colour.");
    assert!(!statuses(find).contains(&"default"), "who lists errors lists all: {find:#}");
}

#[tokio::test]
async fn a_body_is_told_field_by_field_and_as_a_form_where_it_can_be_one() {
    let document = document().await;
    let body = |path: &str, method: &str| document["paths"][path][method]["requestBody"].clone();

    let made = body("/things", "post");
    assert_eq!(made["required"], true);
    let schema = &made["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema["properties"]["name"], json!({ "type": "string" }));
    assert_eq!(schema["properties"]["parts"]["type"], json!(["array", "null"]));
    assert!(made["content"].get("application/x-www-form-urlencoded").is_none(), "a list is no field of a form");
    assert_eq!(parameter(&document["paths"]["/things"]["post"], "urgent")["in"], "query");

    let form = &body("/login", "post")["content"]["application/x-www-form-urlencoded"]["schema"];
    assert_eq!(form["properties"]["remember"], json!({ "type": "boolean" }));
    assert_eq!(form["required"], json!(["user"]));
    let text = "^[^\\u0000]*$";
    assert_eq!(form["propertyNames"], json!({ "pattern": text }));
    assert_eq!(form["additionalProperties"], json!({ "type": "string", "pattern": text }), "what nobody asked for");

    let whole = body("/things/{colour}", "put");
    assert_eq!(whole["content"]["application/json"]["schema"], json!({ "$ref": "#/components/schemas/ThingInput" }));
    assert_eq!(body("/raw", "post"), json!({ "content": { "application/octet-stream": {} } }));
    assert_eq!(body("/sealed", "post")["content"]["application/json"]["schema"], json!({}));
    assert_eq!(body("/text", "get"), Value::Null);
}

#[tokio::test]
async fn what_is_read_and_written_otherwise_has_two_schemas() {
    let schemas = &document().await["components"]["schemas"];

    assert_eq!(schemas["Thing"]["description"], "A thing with a name.");
    assert_eq!(schemas["Thing"]["required"], json!(["name", "count", "colour"]));
    assert_eq!(schemas["ThingInput"]["required"], json!(["name"]));
    assert_eq!(schemas["Colour"]["enum"], json!(["red", "green"]));
}

#[tokio::test]
async fn answers_are_told_by_the_type_that_is_returned() {
    let document = document().await;
    let content = |path: &str, method: &str, status: &str| {
        document["paths"][path][method]["responses"][status]["content"].clone()
    };
    let text = |kind: &str| json!({ kind: { "schema": { "type": "string" } } });
    let thing = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } });

    assert_eq!(content("/text", "get", "200"), text("text/plain"));
    assert_eq!(content("/page", "get", "200"), text("text/html"));
    assert_eq!(content("/events/{id}", "get", "200"), text("text/event-stream"));
    assert_eq!(content("/raw", "post", "200"), json!({ "application/octet-stream": {} }));
    assert_eq!(content("/things", "post", "200"), thing);
    assert_eq!(content("/perhaps", "get", "200"), thing);
    assert_eq!(content("/anything", "get", "2XX"), json!({ "*/*": {} }));
    assert_eq!(content("/sealed", "post", "2XX"), json!({ "application/json": { "schema": {} } }));
    for (path, method, status) in [
        ("/perhaps", "get", "204"),
        ("/things/{colour}", "delete", "204"),
        ("/things/{colour}", "put", "204"),
        ("/login", "post", "3XX"),
    ] {
        assert_eq!(content(path, method, status), Value::Null);
        assert!(statuses(&document["paths"][path][method]).contains(&status), "{method} {path}");
    }
}

#[tokio::test]
async fn every_error_that_can_occur_is_described_and_has_one_shape() {
    let document = document().await;
    let paths = &document["paths"];

    let always = ["400", "401", "403", "408", "413", "414", "431", "500"];
    assert_eq!(statuses(&paths["/text"]["get"]), [&["200"], &always[..]].concat());
    let failing = ["200", "204", "400", "401", "403", "408", "413", "414", "431", "500", "503", "default"];
    assert_eq!(statuses(&paths["/perhaps"]["get"]), failing);
    let made = statuses(&paths["/things"]["post"]);
    for status in ["409", "415", "422", "503", "default"] {
        assert!(made.contains(&status), "{status} of {made:?}");
    }
    assert!(statuses(&paths["/sealed"]["post"]).contains(&"503"), "it has a timeout");
    let health = statuses(&paths["/dbos-healthz"]["get"]);
    assert_eq!(health, ["200", "400", "403", "414", "431", "500"]);

    let shape = json!({ "$ref": "#/components/schemas/HttpError" });
    for responses in paths.as_object().expect("paths").values().flat_map(|item| item.as_object().expect("methods")) {
        for (status, response) in responses.1["responses"].as_object().expect("responses") {
            let response = match response["$ref"].as_str() {
                Some(name) => document.pointer(name.trim_start_matches('#')).expect(name),
                None => response,
            };
            assert!(!response["description"].as_str().expect("words").is_empty(), "{status}");
            if !status.starts_with(['2', '3']) {
                assert_eq!(response["content"]["application/json"]["schema"], shape, "{status}");
            }
        }
    }
    assert_eq!(document["components"]["schemas"]["HttpError"]["required"], json!(["status", "message", "request_id"]));
}

#[tokio::test]
async fn the_idempotency_key_is_told_where_it_works_and_the_user_where_one_is_asked_for() {
    let document = document().await;
    let paths = &document["paths"];

    for (path, method) in [("/things", "post"), ("/things/{colour}", "put"), ("/login", "post")] {
        let key = parameter(&paths[path][method], "dbos-idempotency-key");
        assert_eq!((&key["in"], &key["required"]), (&json!("header"), &json!(false)));
    }
    assert_eq!(paths["/text"]["get"]["parameters"], Value::Null);

    let roles = json!([{ "bearer": ["clerk"] }, { "bearer": ["admin"] }]);
    assert_eq!(paths["/sealed"]["post"]["security"], roles);
    assert_eq!(paths["/text"]["get"]["security"], json!([{}, { "bearer": [] }]));
    assert_eq!(paths["/dbos-healthz"]["get"]["security"], Value::Null);
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn each_form_of_a_path_is_an_operation_of_its_own_and_the_parts_of_one_path_have_one_name() {
    let paths = &document().await["paths"];

    assert_eq!(paths["/sealed"]["post"]["operationId"], "sealed_without_key");
    assert_eq!(paths["/sealed/{key}"]["post"]["operationId"], "sealed");
    let parameters = paths["/sealed"]["post"]["parameters"].as_array().expect("the idempotency key");
    assert!(parameters.iter().all(|parameter| parameter["in"] != "path"), "{parameters:#?}");
    // Three functions call it three things.
    for method in ["get", "put", "delete"] {
        assert_eq!(parameter(&paths["/things/{colour}"][method], "colour")["in"], "path");
    }
}

#[tokio::test]
async fn the_page_and_all_it_needs_come_from_the_program() {
    let router = DBOS::router().expect("routes");
    let (status, page) = get(router.clone(), "/docs").await;
    let page = String::from_utf8(page.to_vec()).expect("text");

    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("://"), "{page}");
    for file in ["docs/page.css", "docs/page.js", "openapi.json"] {
        assert!(page.contains(file), "{page}");
        assert_eq!(get(router.clone(), &format!("/{file}")).await.0, StatusCode::OK, "{file}");
    }
}

#[tokio::test]
async fn the_documentation_can_be_elsewhere_or_nowhere() {
    let elsewhere = Documentation {
        document: "/about/api.json".to_owned(),
        page: "/about/api".to_owned(),
        title: "A <shop>".to_owned(),
        ..Documentation::default()
    };
    let router = DBOS::router_with(&elsewhere).expect("routes");
    let (_, page) = get(router.clone(), "/about/api").await;
    let page = String::from_utf8(page.to_vec()).expect("text");
    assert!(page.contains("A &lt;shop&gt;") && page.contains("../about/api/page.js"), "{page}");
    assert_eq!(get(router.clone(), "/about/api.json").await.0, StatusCode::OK);
    assert_eq!(get(router, "/openapi.json").await.0, StatusCode::NOT_FOUND);

    let nowhere = Documentation { served: false, ..Documentation::default() };
    let router = DBOS::router_with(&nowhere).expect("routes");
    for path in ["/openapi.json", "/docs", "/docs/page.js"] {
        assert_eq!(get(router.clone(), path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn a_path_that_is_taken_or_none_is_refused_by_a_sentence() {
    let at = |page: &str| {
        let documentation = Documentation { page: page.to_owned(), ..Documentation::default() };
        DBOS::router_with(&documentation).expect_err(page).to_string()
    };

    let taken = at("/text");
    assert!(taken.contains("GET /text") && taken.contains("openapi.rs") && taken.contains("docs_path"), "{taken}");
    assert!(at("docs").contains("`docs` is no path for a document"));
    assert!(at("/docs/:page").contains("is no path for a document"));
}

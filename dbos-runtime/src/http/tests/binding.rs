//! Arguments from path, query and body.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{TestServer, post, route};
use crate::http::body::LARGEST_BODY;
use crate::http::route::Route;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Paid,
    Failed,
}

const ROUTES: &[&Route] = &[
    route!("GET", "/order/:id", |arguments| arguments.path::<i32>("id").map(|id| id.to_string())),
    route!("GET", "/name/{name}", |arguments| arguments.path::<String>("name")),
    route!("GET", "/status/:key/:status", |arguments| {
        let key: String = arguments.path("key")?;
        arguments.path::<Status>("status").map(|status| format!("{key} {status:?}"))
    }),
    route!("GET", "/maybe/:id?", |arguments| arguments.path::<Option<i32>>("id").map(|id| format!("{id:?}"))),
    route!("GET", "/search", |arguments| {
        let text: String = arguments.query("text")?;
        arguments.query::<Option<u8>>("page").map(|page| format!("{text:?} {page:?}"))
    }),
    route!("POST", "/order", |arguments| {
        let item: String = arguments.body("item")?;
        let count: u32 = arguments.body("count")?;
        arguments.body::<Option<Value>>("note").map(|note| format!("{count} {item} {note:?}"))
    }),
    route!("POST", "/ignored", |arguments| "fine"),
];

#[tokio::test]
async fn path_values_are_read_by_type() {
    let server = TestServer::start(ROUTES).await;
    for (path, status, part) in [
        ("/order/7", 200, "7"),
        ("/order/%37", 200, "7"),
        ("/order/-7", 200, "-7"),
        ("/order/0x1", 400, "argument `id`: `0x1` is not a whole number from -2147483648 to 2147483647"),
        ("/order/1e0", 400, "`1e0`"),
        ("/order/%201", 400, "` 1`"),
        ("/order/+1", 400, "`+1`"),
        ("/order/1.5", 400, "`1.5`"),
        ("/order/12abc", 400, "`12abc`"),
        ("/order/2147483648", 400, "`2147483648`"),
        ("/order/", 404, "Not Found"),
        ("/name/a%20b", 200, "a b"),
        ("/name/a%2Fb", 200, "a/b"),
        ("/name/%2e%2e%2fetc%2fpasswd", 200, "../etc/passwd"),
        ("/name/%2541", 200, "%41"),
        ("/name/%C3%A9", 200, "é"),
        ("/name/a?name=b", 200, "a"),
        ("/name/a%00b", 400, "control character"),
        ("/name/a%0Ab", 400, "control character"),
        ("/name/a%zz", 400, "hexadecimal"),
        ("/name/a%", 400, "hexadecimal"),
        ("/name/%ff", 400, "UTF-8"),
        ("/status/k/paid", 200, "k Paid"),
        ("/status/k/failed", 200, "k Failed"),
        ("/status/k/Paid", 400, "one of paid, failed"),
        ("/maybe/1", 200, "Some(1)"),
        ("/maybe/", 200, "None"),
        ("/maybe", 200, "None"),
        ("/maybe/x", 400, "`x`"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let said = if status == 200 { answer.body } else { answer.message() };
        assert!(if status == 200 { said == part } else { said.contains(part) }, "{path}: {said}");
    }
}

#[tokio::test]
async fn query_values_are_read_by_name() {
    let server = TestServer::start(ROUTES).await;
    for (query, expected) in [
        ("?text=a+b%21", Ok(r#""a b!" None"#)),
        ("?page=2&text=", Ok(r#""" Some(2)"#)),
        ("?text=a&other=1&other=2", Ok(r#""a" None"#)),
        ("", Err("missing argument `text`")),
        ("?page=1", Err("missing argument `text`")),
        ("?text=a&text=b", Err("argument `text` is given more than once")),
        ("?text=a&page=256", Err("argument `page`: `256` is not a whole number from 0 to 255")),
        ("?text=a&page=", Err("argument `page`: `` is not a whole number from 0 to 255")),
        ("?text=%f", Err("the URI holds a `%` without two hexadecimal digits after it")),
    ] {
        let answer = server.get(&format!("/search{query}")).await;
        match expected {
            Ok(body) => assert_eq!((answer.status, answer.body.as_str()), (200, body), "{query}"),
            Err(message) => assert_eq!((answer.status, answer.message().as_str()), (400, message), "{query}"),
        }
    }
}

#[tokio::test]
async fn body_fields_are_read_by_name_and_type() {
    let server = TestServer::start(ROUTES).await;
    for (body, expected) in [
        (r#"{"item":"nut","count":2}"#, Ok("2 nut None")),
        (r#"{"item":"nut","count":2,"note":null,"more":[]}"#, Ok("2 nut None")),
        (r#"{"item":"nut","count":2,"note":[1]}"#, Ok("2 nut Some(Array [Number(1)])")),
        (r#"{"count":2}"#, Err("missing argument `item`")),
        (r#"{"item":null,"count":2}"#, Err("missing argument `item`")),
        ("", Err("missing argument `item`")),
        (r#"{"item":7,"count":2}"#, Err("argument `item`: invalid type: integer `7`, expected a string")),
        (r#"{"item":"nut","count":"2"}"#, Err("argument `count`: invalid type: string \"2\", expected u32")),
        (r#"{"item":"nut","count":-2}"#, Err("argument `count`: invalid value: integer `-2`, expected u32")),
        ("[1]", Err("the body is refused: invalid type: sequence, expected a JSON object at line 1 column 0")),
        ("{", Err("the body is refused: EOF while parsing an object at line 1 column 1")),
        (r#"{"item":"a","item":"b"}"#, Err("the body is refused: field `item` is given twice at line 1 column 18")),
    ] {
        let answer = server.post("/order", body).await;
        match expected {
            Ok(text) => assert_eq!((answer.status, answer.body.as_str()), (200, text), "{body}"),
            Err(message) => assert_eq!((answer.status, answer.message().as_str()), (400, message), "{body}"),
        }
    }
}

#[tokio::test]
async fn json_that_is_hard_to_read_is_refused() {
    let server = TestServer::start(ROUTES).await;
    for note in ["[".repeat(200) + &"]".repeat(200), "NaN".to_owned(), "1e400".to_owned(), r#""\ud800""#.to_owned()] {
        let body = format!(r#"{{"item":"nut","count":2,"note":{note}}}"#);
        assert_eq!(server.post("/order", &body).await.status, 400, "{body}");
    }
    let mut client = server.connect().await;
    let mut bytes = post("/order", r#"{"item":"?","count":1}"#).into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
    client.send(&bytes).await;
    assert_eq!(client.answer().await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_told_so() {
    let server = TestServer::start(ROUTES).await;
    let request = post("/order", "<item/>").replace("application/json", "text/xml");
    assert_eq!(server.ask(&request).await.status, 415);
    assert_eq!(server.post("/ignored", "anything at all").await.body, "fine");
}

#[tokio::test]
async fn a_large_body_is_refused_whoever_wants_it() {
    let server = TestServer::start(ROUTES).await;
    let fitting = json!({ "item": "x".repeat(LARGEST_BODY - 100), "count": 1 }).to_string();
    assert_eq!(server.post("/order", &fitting).await.status, 200);
    for path in ["/order", "/ignored"] {
        let answer = server.post(path, &"x".repeat(3 * LARGEST_BODY)).await;
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (413, "the body is larger than 1048576 bytes"),
            "{path}"
        );
    }
    let announced = "POST /order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(server.ask(announced).await.status, 413);
}

#[derive(Debug, Deserialize)]
struct Order {
    item: String,
    count: u32,
    note: Option<String>,
}

const ORIGINS: &[&Route] = &[
    route!("POST", "/fields", |arguments| {
        let item: String = arguments.body("item")?;
        let count: Option<u32> = arguments.body("count")?;
        arguments.query::<u32>("page").map(|page| format!("{item} {count:?} {page}"))
    }),
    route!("POST", "/whole", |arguments| arguments
        .whole_body::<Order>()
        .map(|Order { item, count, note }| format!("{item} {count} {note:?}"))),
    route!("POST", "/whole/maybe", |arguments| arguments
        .whole_body::<Option<Vec<u8>>>()
        .map(|list| format!("{list:?}"))),
    route!("POST", "/raw", |arguments| arguments.raw_body::<Vec<u8>>().map(|bytes| format!("{bytes:?}"))),
    route!("POST", "/raw/text", |arguments| arguments.raw_body::<String>()),
    route!("GET", "/header", |arguments| {
        let count: u8 = arguments.header("x-count")?;
        arguments.header::<Option<String>>("x-note").map(|note| format!("{count} {note:?}"))
    }),
];

fn form(path: &str, body: &str) -> String {
    post(path, body).replace("application/json", "application/x-www-form-urlencoded; charset=utf-8")
}

const JSON_AS_FORM: &str = "the body looks like JSON and says that it is a form; send `Content-Type: application/json`";

#[tokio::test]
async fn a_form_gives_fields_as_json_does() {
    let server = TestServer::start(ORIGINS).await;
    for (path, body, expected) in [
        ("/fields?page=1", "item=a+b%21&count=2", Ok("a b! Some(2) 1")),
        ("/fields?page=1", "item=&other=1&other=2", Ok(" None 1")),
        ("/fields?page=1&item=nut", "count=2", Err("missing argument `item`")),
        ("/fields", "item=a&page=1", Err("missing argument `page`")),
        ("/fields?page=1", "item=a&item=b", Err("argument `item` is given more than once")),
        (
            "/fields?page=1",
            "item=a&count=1e0",
            Err("argument `count`: `1e0` is not a whole number from 0 to 4294967295"),
        ),
        ("/fields?page=1", "item=%zz", Err("the form is not well encoded")),
        ("/fields?page=1", "item=%00", Err("the form is not well encoded")),
        ("/fields?page=1", r#"{"item":"a"}"#, Err(JSON_AS_FORM)),
        ("/whole", r#"{"item":"nut","count":2}"#, Err(JSON_AS_FORM)),
        ("/whole", "item=nut&count=2", Ok("nut 2 None")),
        ("/whole", "item=nut&count=2&note=x", Ok(r#"nut 2 Some("x")"#)),
        ("/whole", "item=nut&count=2&count=3", Err("argument `count` is given more than once")),
        ("/whole", "item=nut", Err("the body is refused: missing field `count`")),
        ("/whole", "item=nut&count= 2", Err("the body is refused: ` 2` is not a whole number from 0 to 4294967295")),
    ] {
        let answer = server.ask(&form(path, body)).await;
        match expected {
            Ok(text) => assert_eq!((answer.status, answer.body.as_str()), (200, text), "{path} {body}"),
            Err(message) => assert_eq!((answer.status, answer.message().as_str()), (400, message), "{path} {body}"),
        }
    }
}

#[tokio::test]
async fn a_whole_body_is_one_value() {
    let server = TestServer::start(ORIGINS).await;
    for (path, body, expected) in [
        ("/whole", r#"{"item":"nut","count":2}"#, Ok("nut 2 None")),
        ("/whole", "", Err("the body is missing")),
        ("/whole", "null", Err("the body is refused: invalid type: null, expected struct Order at line 1 column 4")),
        (
            "/whole",
            r#"{"item":"nut","count":2,"count":3}"#,
            Err("the body is refused: duplicate field `count` at line 1 column 31"),
        ),
        ("/whole/maybe", "", Ok("None")),
        ("/whole/maybe", "null", Ok("None")),
        ("/whole/maybe", "[1,2]", Ok("Some([1, 2])")),
        (
            "/whole/maybe",
            "[256]",
            Err("the body is refused: invalid value: integer `256`, expected u8 at line 1 column 4"),
        ),
    ] {
        let answer = server.post(path, body).await;
        match expected {
            Ok(text) => assert_eq!((answer.status, answer.body.as_str()), (200, text), "{path} {body}"),
            Err(message) => assert_eq!((answer.status, answer.message().as_str()), (400, message), "{path} {body}"),
        }
    }
    let xml = post("/whole", "<order/>").replace("application/json", "text/xml");
    assert_eq!(server.ask(&xml).await.status, 415);
}

#[tokio::test]
async fn a_raw_body_is_its_bytes_whatever_its_type() {
    let server = TestServer::start(ORIGINS).await;
    for (kind, body, bytes) in [
        ("application/json", " {\"a\":1.0}\r\n", "[32, 123, 34, 97, 34, 58, 49, 46, 48, 125, 13, 10]"),
        ("text/xml", "\0é", "[0, 195, 169]"),
        ("application/x-www-form-urlencoded", "%41+", "[37, 52, 49, 43]"),
        ("application/json", "", "[]"),
    ] {
        let answer = server.ask(&post("/raw", body).replace("application/json", kind)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, bytes), "{kind} {body:?}");
    }
    assert_eq!(server.post("/raw/text", "é").await.body, "é");
}

#[tokio::test]
async fn headers_are_read_by_type() {
    let server = TestServer::start(ORIGINS).await;
    for (headers, expected) in [
        ("X-Count: 7\r\n", Ok("7 None")),
        ("x-count: 7\r\nX-Note: a b\r\n", Ok(r#"7 Some("a b")"#)),
        ("", Err("missing header `x-count`")),
        ("x-count: 7\r\nx-count: 7\r\n", Err("header `x-count`: it is given more than once")),
        ("x-count: 0x7\r\n", Err("header `x-count`: `0x7` is not a whole number from 0 to 255")),
        ("x-count: 7\r\nx-note: é\r\n", Err("header `x-note`: it holds more than plain ASCII")),
    ] {
        let answer = server.ask(&format!("GET /header HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        match expected {
            Ok(text) => assert_eq!((answer.status, answer.body.as_str()), (200, text), "{headers}"),
            Err(message) => assert_eq!((answer.status, answer.message().as_str()), (400, message), "{headers}"),
        }
    }
}

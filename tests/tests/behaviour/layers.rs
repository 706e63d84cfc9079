//! Layers of tower around routes. Each of these writes its name into the answer, the innermost first.

use axum::middleware::map_response;
use axum::response::Response;
use dbos::{get_api, layer, put_api};
use dbos_testkit::http::Request;
use dbos_testkit::{App, Database, behaviours};

use crate::app::config;
use crate::http::serve;

behaviours! { layers:
    layers_stand_around_their_route_and_their_module,
}

layer!(map_response(|answer| mark("first", answer)));
layer!(map_response(|answer| mark("second", answer)));

#[expect(clippy::unused_async, reason = "a layer awaits what it calls")]
async fn mark(name: &str, mut answer: Response) -> Response {
    answer.headers_mut().append("x-layer", name.parse().expect("a value"));
    answer
}

#[get_api("/layers", layer = map_response(|answer| mark("own", answer)))]
async fn with_its_own() {}

#[put_api("/layers")]
async fn with_none_of_its_own() {}

mod inner {
    use axum::middleware::map_response;
    use dbos::{get_api, layer};

    layer!(map_response(in_request));

    #[get_api("/layers/inner")]
    async fn of_an_inner_module() {}

    /// A layer is in the request that it is around.
    async fn in_request(answer: super::Response) -> super::Response {
        super::mark(if dbos::http::request_id().is_some() { "inner" } else { "outside" }, answer).await
    }
}

async fn layers_stand_around_their_route_and_their_module(database: Database) {
    let url = serve(&App::launch(config(&database)).await).await;
    let layers = async |method: &str, path: &str| {
        let answer = Request::new(method, format!("{url}{path}")).send().await.expect("an answer");
        let names = answer.headers.into_iter().filter(|(header, _)| header == "x-layer").map(|(_, name)| name);
        (answer.status, names.collect::<Vec<_>>().join(" "))
    };

    assert_eq!(layers("GET", "/layers").await, (204, "own second first".to_owned()));
    assert_eq!(layers("PUT", "/layers").await, (204, "second first".to_owned()));
    assert_eq!(layers("GET", "/layers/inner").await, (204, "inner second first".to_owned()));
    assert_eq!(layers("GET", "/http/old").await, (302, String::new()), "another module");
}

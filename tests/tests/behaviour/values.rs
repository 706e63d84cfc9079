//! Values that JSON bends come back equal, or are refused with the reason.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use dbos::{DBOS, Error, Event, Result, Topic, step, workflow};
use dbos_testkit::{App, Database, behaviours};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::{config, rewind};

behaviours! { values:
    numbers_come_back_equal,
    bytes_and_maps_come_back_equal,
    text_of_every_kind_comes_back_equal,
    options_and_enums_come_back_equal,
    what_is_not_a_number_is_refused,
    an_option_in_an_option_is_refused,
    a_field_that_serde_skips_is_refused,
    text_with_a_nul_is_refused,
    a_value_that_is_too_large_is_refused,
    what_is_refused_leaves_nothing_behind,
    events_and_messages_come_back_equal,
    events_and_messages_that_would_not_are_refused,
}

#[step]
async fn value_step<T>(value: T) -> Result<T>
where
    T: Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned,
{
    Ok(value)
}

/// A workflow that takes a value, passes it through a step, and gives it back; and the same after a crash.
macro_rules! through_everything {
    ($workflow:ident, $type:ty) => {
        #[workflow]
        async fn $workflow(value: $type) -> Result<$type> {
            let stepped = value_step(value.clone()).await?;
            if stepped == value { Ok(stepped) } else { Err(Error::new(format!("{value:?} became {stepped:?}"))) }
        }
    };
}

macro_rules! comes_back {
    ($app:ident, $database:ident, $workflow:ident, $values:expr) => {
        for (n, value) in $values.into_iter().enumerate() {
            let id = format!("{}-{n}", stringify!($workflow));
            let first = $app.run(async { $workflow(value.clone()).workflow_id(&id).await.unwrap() }).await;
            assert_eq!(first, value, "the first time");
            $app.crash().await;
            rewind(&$database, &id, "1 = 1").await;
            $app.relaunch().await;
            assert_eq!(replayed(&$app, &id, &first).await, value, "after a crash");
        }
    };
}

async fn replayed<T: Send + 'static>(app: &App, id: &str, _like: &T) -> T {
    app.result::<Result<T>>(id).await.unwrap()
}

type Numbers = (u64, i64, u128, i128, f32, f64);
through_everything!(value_numbers, Numbers);

async fn numbers_come_back_equal(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let numbers: [Numbers; 3] = [
        (u64::MAX, i64::MIN, u128::MAX, i128::MIN, f32::MIN_POSITIVE, f64::MAX),
        ((1 << 53) + 1, -(1 << 53) - 1, 1 << 100, -(1 << 100), 0.1, 0.1 + 0.2),
        (0, 0, 0, 0, -0.0, 1e-320),
    ];

    comes_back!(app, database, value_numbers, numbers);
}

type Collections = (Vec<u8>, BTreeMap<i64, String>, HashMap<u8, Vec<bool>>, BTreeMap<bool, char>);
through_everything!(value_collections, Collections);

async fn bytes_and_maps_come_back_equal(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let full: Collections = (
        (0..=255).collect(),
        BTreeMap::from([(-1, "a".to_owned()), (i64::MAX, "b".to_owned())]),
        HashMap::from([(0, vec![]), (255, vec![true, false])]),
        BTreeMap::from([(true, 'x'), (false, '\u{10ffff}')]),
    );

    comes_back!(app, database, value_collections, [full, Collections::default()]);
}

through_everything!(value_text, String);

async fn text_of_every_kind_comes_back_equal(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let texts =
        ["", " ", "null", "\"quoted\"", "line\nbreak\u{1}", "ünïcode 🦀 \u{feff}", "\\u0000", "'; DROP TABLE x"];

    comes_back!(app, database, value_text, texts.map(str::to_owned));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Square { side: Option<u32> },
    Pair(Box<Shape>, Box<Shape>),
}

type Choices = (Option<String>, Vec<Option<u8>>, Shape, ());
through_everything!(value_choices, Choices);

async fn options_and_enums_come_back_equal(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let pair = Shape::Pair(Box::new(Shape::Nothing), Box::new(Shape::Circle(1.5)));
    let choices: [Choices; 2] =
        [(None, vec![None, Some(0)], Shape::Square { side: None }, ()), (Some(String::new()), vec![], pair, ())];

    comes_back!(app, database, value_choices, choices);
}

fn assert_refused<T: Debug>(result: Result<T>, words: &[&str]) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Unstorable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

through_everything!(value_float, f64);

#[step]
async fn value_divides(by: f64) -> Result<f64> {
    Ok(0.0 / by)
}

#[workflow]
async fn value_divides_in_a_step() -> Result<bool> {
    Ok(value_divides(0.0).await?.is_nan())
}

#[workflow]
async fn value_divides_itself(by: f64) -> Result<f64> {
    Ok(1.0 / by)
}

async fn what_is_not_a_number_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        assert_refused(value_float(f64::NAN).await, &["argument", "NaN"]);
        assert_refused(value_divides_in_a_step().await, &["step", "NaN"]);
        assert_refused(value_divides_itself(0.0).await, &["workflow returned", "infinity"]);
    })
    .await;
}

type Nested = Option<Option<u8>>;
through_everything!(value_nested, Nested);

#[step]
async fn value_finds() -> Result<Option<Option<u8>>> {
    Ok(Some(None))
}

#[workflow]
async fn value_finds_in_a_step() -> Result<bool> {
    Ok(value_finds().await?.is_some())
}

async fn an_option_in_an_option_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        assert_eq!(value_nested(Some(Some(1))).await.unwrap(), Some(Some(1)));
        assert_eq!(value_nested(None).await.unwrap(), None);
        assert_refused(value_nested(Some(None)).await, &["argument", "`None`"]);
        assert_refused(value_finds_in_a_step().await, &["step", "`None`"]);
    })
    .await;
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Forgetful {
    kept: u8,
    #[serde(skip)]
    forgotten: u8,
}

through_everything!(value_forgetful, Forgetful);

async fn a_field_that_serde_skips_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let harmless = Forgetful { kept: 1, forgotten: 0 };
        assert_eq!(value_forgetful(harmless.clone()).await.unwrap(), harmless);
        assert_refused(value_forgetful(Forgetful { kept: 1, forgotten: 2 }).await, &["argument", "skip"]);
    })
    .await;
}

async fn text_with_a_nul_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async { assert_refused(value_text("a\0b".to_owned()).await, &["argument", "NUL"]) }).await;
}

async fn a_value_that_is_too_large_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async { assert_refused(value_text("x".repeat(16 * 1024 * 1024)).await, &["argument", "bytes"]) }).await;
}

async fn what_is_refused_leaves_nothing_behind(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        value_float(f64::INFINITY).workflow_id("v").await.unwrap_err();
        DBOS::start_workflow(value_float(f64::NAN)).workflow_id("v").await.unwrap_err();
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 0);
}

type Parcel = (u64, Option<String>, BTreeMap<i64, Vec<u8>>, f32);
const PARCELS: Topic<Parcel> = Topic::new("parcels");
const PARCEL: Event<Parcel> = Event::new("parcel");
const FLOATS: Topic<f64> = Topic::new("floats");
const FLOAT: Event<f64> = Event::new("float");

fn parcel() -> Parcel {
    (u64::MAX, Some(String::new()), BTreeMap::from([(-7, vec![0, 255])]), 0.1)
}

#[workflow]
async fn value_passes_a_parcel() -> Result<bool> {
    let parcel = DBOS::recv(PARCELS, std::time::Duration::from_secs(3600)).await?.unwrap_or_default();
    DBOS::set_event(PARCEL, parcel.clone()).await?;
    Ok(parcel == self::parcel())
}

async fn events_and_messages_come_back_equal(database: Database) {
    let app = App::launch(config(&database)).await;

    let (same, published) = app
        .run(async {
            let handle = DBOS::start_workflow(value_passes_a_parcel()).workflow_id("p").await.unwrap();
            DBOS::send("p", parcel(), PARCELS).await.unwrap();
            (handle.result().await.unwrap(), DBOS::get_event("p", PARCEL).await.unwrap())
        })
        .await;

    assert!(same);
    assert_eq!(published, Some(parcel()));
}

#[workflow]
async fn value_publishes_nan() -> Result<String> {
    let event = DBOS::set_event(FLOAT, f64::NAN).await.unwrap_err().to_string();
    let message = DBOS::send(DBOS::workflow_id(), f64::NAN, FLOATS).await.unwrap_err().to_string();
    Ok(format!("{event}; {message}"))
}

async fn events_and_messages_that_would_not_are_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    let said = app.run(async { value_publishes_nan().await.unwrap() }).await;

    assert!(said.starts_with("the value of event `float` cannot be stored: NaN"), "{said}");
    assert!(said.contains("the message cannot be stored: NaN"), "{said}");
    assert_eq!(database.count("SELECT count(*) FROM dbos.operation_outputs").await, 0);
}

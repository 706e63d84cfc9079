use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inputs::ArgCodec;
use super::nameless::*;
use super::*;
use crate::error::Error;
use crate::schedule::Tick;

/// The codec the macros would choose for a type.
macro_rules! codec {
    ($ty:ty) => {{
        let probe = Probe::<$ty>::NEW;
        (&&&&&&&probe).codec().comparing((&&&&&probe).comparison()).describing((&&&probe).description())
    }};
}

/// Asserts that a value comes back equal, and gives what was stored.
macro_rules! comes_back {
    ($ty:ty, $value:expr) => {{
        let (codec, value): (_, $ty) = (codec!($ty), $value);
        let encoded = codec.encode(&value).expect("the value is accepted");
        let back = codec.decode(&encoded).expect("the value is read back");
        assert_eq!(back, value);
        encoded
    }};
}

/// Asserts that a value is refused, and gives the reason.
macro_rules! refused {
    ($ty:ty, $value:expr) => {{
        let value: $ty = $value;
        codec!($ty).encode(&value).expect_err("the value is refused")
    }};
}

fn stored_error(encoded: &Encoded) -> serde_json::Value {
    assert!(encoded.is_error());
    serde_json::from_str(encoded.text()).expect("errors are JSON")
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: u64,
    note: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
enum ShopError {
    #[error("declined: {code}")]
    Declined { code: u16 },
    #[error("sold out")]
    SoldOut,
    #[error(transparent)]
    Dbos(#[from] Wrapped),
}

/// `dbos::Error` itself cannot be compared.
#[derive(Debug, Deserialize, Serialize)]
struct Wrapped(Error);

impl fmt::Display for Wrapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl std::error::Error for Wrapped {}

impl PartialEq for Wrapped {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl From<Error> for ShopError {
    fn from(error: Error) -> Self {
        Self::Dbos(Wrapped(error))
    }
}

mod values {
    use super::*;

    #[test]
    fn numbers_come_back_to_the_last_digit() {
        comes_back!(u64, u64::MAX);
        comes_back!(u64, (1 << 53) + 1);
        comes_back!(i64, i64::MIN);
        comes_back!(u128, u128::MAX);
        comes_back!(i128, i128::MIN);
        comes_back!(f32, 0.1);
        comes_back!(f32, f32::MIN_POSITIVE);
        comes_back!(f64, 0.1 + 0.2);
        comes_back!(f64, f64::MAX);
        comes_back!(f64, 5e-324);
        comes_back!(f64, -0.0);
        // One that a fast parser gets wrong in its last bit.
        comes_back!(f64, 1.234_567_890_123_456_7e-300);
        comes_back!(f64, 2.638_344_616_030_823_5e-256);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for reason in [refused!(f64, f64::NAN), refused!(f32, f32::INFINITY), refused!(Vec<f64>, vec![1.0, f64::NAN])] {
            assert!(reason.contains("NaN and infinity have no form in JSON"), "{reason}");
        }
    }

    #[test]
    fn text_comes_back() {
        comes_back!(char, '\u{1f980}');
        comes_back!(String, "\u{1} \" \\ \u{2028} \u{ffff}".to_owned());
        comes_back!((), ());
        comes_back!(Vec<u8>, vec![0, 255]);
        comes_back!(Option<Order>, None);
        comes_back!(Option<Order>, Some(Order { id: 1, note: None }));
    }

    #[test]
    fn a_nul_character_is_refused_with_its_place() {
        let reason =
            refused!(Vec<Order>, vec![Order { id: 1, note: None }, Order { id: 2, note: Some("a\0b".to_owned()) }]);

        assert_eq!(
            reason,
            "in item 2: in `note`: text with a NUL character cannot be stored by Postgres; remove it, or use bytes"
        );
        refused!(char, '\0');
        refused!(BTreeMap<String, u8>, BTreeMap::from([("\0".to_owned(), 1)]));
    }

    #[test]
    fn an_option_in_an_option_is_refused_only_where_it_would_be_lost() {
        comes_back!(Option<Option<u8>>, None);
        comes_back!(Option<Option<u8>>, Some(Some(1)));

        for reason in [
            refused!(Option<Option<u8>>, Some(None)),
            refused!(Option<()>, Some(())),
            refused!(Vec<Option<serde_json::Value>>, vec![Some(json!(null))]),
            refused!(Option<Box<Option<u8>>>, Some(Box::new(None))),
        ] {
            assert!(reason.contains("would come back as `None`"), "{reason}");
        }
    }

    #[test]
    fn a_newtype_does_not_hide_an_empty_value() {
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Note(Option<String>);

        assert!(refused!(Option<Note>, Some(Note(None))).contains("would come back as `None`"));
    }

    #[test]
    fn map_keys_are_text_or_what_reads_like_it() {
        #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        enum Color {
            Red,
        }
        #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        struct Sku(u64);

        comes_back!(BTreeMap<u64, u8>, BTreeMap::from([(u64::MAX, 1)]));
        comes_back!(BTreeMap<i128, u8>, BTreeMap::from([(i128::MIN, 1)]));
        comes_back!(HashMap<String, u8>, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        comes_back!(BTreeMap<bool, u8>, BTreeMap::from([(true, 1)]));
        comes_back!(BTreeMap<char, u8>, BTreeMap::from([('x', 1)]));
        comes_back!(BTreeMap<Color, u8>, BTreeMap::from([(Color::Red, 1)]));
        comes_back!(BTreeMap<Sku, u8>, BTreeMap::from([(Sku(7), 1)]));

        for reason in [
            refused!(BTreeMap<(u8, u8), u8>, BTreeMap::from([((1, 2), 3)])),
            refused!(BTreeMap<Option<String>, u8>, BTreeMap::from([(None, 3)])),
            refused!(BTreeMap<(), u8>, BTreeMap::from([((), 3)])),
        ] {
            assert!(reason.contains("a map key must be text"), "{reason}");
        }
    }

    #[test]
    fn enums_of_every_form_come_back() {
        macro_rules! form {
            ($($attribute:tt)*) => {{
                #[derive(Debug, Deserialize, PartialEq, Serialize)]
                $($attribute)*
                enum Form {
                    Unit,
                    Struct { value: u64, text: Option<String> },
                }
                comes_back!(Form, Form::Unit);
                comes_back!(Form, Form::Struct { value: u64::MAX, text: None });
            }};
        }
        form!();
        form!(#[serde(tag = "type")]);
        form!(#[serde(tag = "type", content = "content")]);
        form!(#[serde(rename_all = "snake_case")]);
    }

    #[test]
    fn an_untagged_enum_that_comes_back_as_another_variant_is_refused() {
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        #[serde(untagged)]
        enum Id {
            Number(u64),
            Small(u8),
            Text(String),
        }

        comes_back!(Id, Id::Number(1));
        comes_back!(Id, Id::Text("1".to_owned()));
        assert!(refused!(Id, Id::Small(1)).contains("would not come back equal"));
    }

    #[test]
    fn a_skipped_field_is_refused_unless_it_is_what_reading_gives() {
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Session {
            user: String,
            #[serde(skip)]
            token: String,
        }

        comes_back!(Session, Session { user: "ann".to_owned(), token: String::new() });
        let reason = refused!(Session, Session { user: "ann".to_owned(), token: "secret".to_owned() });
        assert_eq!(reason, "it would not come back equal; look for fields that serde skips or writes in another form");
    }

    #[test]
    fn keys_that_swallow_each_other_are_refused() {
        #[derive(Debug, Deserialize, Serialize)]
        struct Twice {
            id: u8,
            #[serde(flatten)]
            rest: BTreeMap<String, u8>,
        }

        let reason = refused!(Twice, Twice { id: 1, rest: BTreeMap::from([("id".to_owned(), 2)]) });

        assert_eq!(reason, "the key `id` is written twice");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_refused_when_it_is_written() {
        #[derive(Deserialize, Serialize)]
        struct Lopsided {
            #[serde(rename(serialize = "out", deserialize = "in"))]
            value: u8,
        }

        assert_eq!(refused!(Lopsided, Lopsided { value: 1 }), "it could not be read back: missing field `in`");
    }

    #[test]
    fn size_has_a_limit() {
        let reason = refused!(String, "x".repeat(MAX_BYTES));

        assert!(reason.starts_with("it takes 16777218 bytes as JSON, and 16777216 is the most"), "{reason}");
    }
}

mod errors {
    use super::*;

    #[test]
    fn typed_errors_come_back_typed() {
        let encoded = comes_back!(Result<u8, ShopError>, Err(ShopError::Declined { code: 51 }));
        assert_eq!(
            stored_error(&encoded),
            json!({"name": "ShopError", "message": "declined: 51", "code": null, "data": {"Declined": {"code": 51}}})
        );
        comes_back!(Result<u8, ShopError>, Err(ShopError::SoldOut));
        comes_back!(Result<u8, ShopError>, Ok(1));
        comes_back!(Result<u8, ()>, Err(()));
        comes_back!(Result<u8, u128>, Err(u128::MAX));
    }

    #[test]
    fn text_can_be_an_error() {
        let encoded = comes_back!(Result<u8, String>, Err("no".to_owned()));

        assert_eq!(stored_error(&encoded), json!({"name": "Error", "message": "no", "code": null, "data": "no"}));
    }

    #[test]
    fn an_error_inside_a_value_is_a_value() {
        comes_back!(Option<Result<u8, String>>, Some(Err("no".to_owned())));
        comes_back!(Result<Result<u8, String>, String>, Ok(Err("no".to_owned())));
    }

    #[test]
    fn our_own_error_is_portable() {
        let codec = codec!(Result<u8, Error>);
        let named = Error::Application {
            name: "SoldOut".to_owned(),
            message: "nothing left".to_owned(),
            data: Some(json!({"item": 7})),
        };

        let encoded = codec.encode(&Err(named)).unwrap();

        assert_eq!(
            stored_error(&encoded),
            json!({"name": "SoldOut", "message": "nothing left", "code": null, "data": {"item": 7}})
        );
        let back = codec.decode(&encoded).unwrap().unwrap_err();
        assert!(matches!(back, Error::Application { name, data: Some(_), .. } if name == "SoldOut"));
    }

    #[test]
    fn every_variant_of_our_own_error_comes_back() {
        let codec = codec!(Result<u8, Error>);
        let error = Error::StepTimedOut { step: "charge".to_owned(), after_ms: 50 };

        let encoded = codec.encode(&Err(error)).unwrap();

        assert_eq!(stored_error(&encoded)["name"], "StepTimedOut");
        let back = codec.decode(&encoded).unwrap().unwrap_err();
        assert!(matches!(back, Error::StepTimedOut { after_ms: 50, .. }));
        let source = sqlx::Error::RowNotFound;
        let encoded = codec.encode(&Err(Error::from(source))).unwrap();
        let back = codec.decode(&encoded).unwrap().unwrap_err();
        assert_eq!(back.to_string(), Error::from(sqlx::Error::RowNotFound).to_string());
    }

    #[test]
    fn anyhow_reads_the_same_after_a_replay() {
        let codec = codec!(anyhow::Result<u8>);
        let error = anyhow::anyhow!("root").context("inner").context("outer");
        let (plain, full) = (error.to_string(), format!("{error:#}"));

        let encoded = codec.encode(&Err(error)).unwrap();
        let back = codec.decode(&encoded).unwrap().unwrap_err();

        assert_eq!((back.to_string(), format!("{back:#}")), (plain, full));
        assert_eq!(format!("{back:#}"), "outer: inner: root");
        assert_eq!(back.chain().count(), 3);
        assert_eq!(stored_error(&encoded)["message"], "outer");
    }

    #[test]
    fn boxed_errors_read_the_same_after_a_replay() {
        type Boxed = Box<dyn std::error::Error + Send + Sync>;
        let codec = codec!(Result<u8, Boxed>);
        let errors: [Boxed; 3] =
            ["plain".into(), Box::new(Wrapped(Error::new("wrapped"))), anyhow::anyhow!("root").context("outer").into()];
        for error in errors {
            let words = (error.to_string(), format!("{error:#}"), error.source().map(ToString::to_string));

            let back = codec.decode(&codec.encode(&Err(error)).unwrap()).unwrap().unwrap_err();

            assert_eq!((back.to_string(), format!("{back:#}"), back.source().map(ToString::to_string)), words);
        }
    }

    #[test]
    fn an_error_that_is_only_text_comes_back_as_its_text() {
        #[derive(Debug)]
        struct Note(String);

        impl fmt::Display for Note {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<Recorded> for Note {
            fn from(recorded: Recorded) -> Self {
                Self(recorded.to_string())
            }
        }
        let codec = codec!(Result<u8, Note>);

        let back = codec.decode(&codec.encode(&Err(Note("late".to_owned()))).unwrap()).unwrap();

        assert_eq!(back.unwrap_err().0, "late");
    }

    #[test]
    fn an_opaque_error_from_another_language_is_readable() {
        let foreign = Encoded::Error(r#"{"name":"ValueError","message":"plain","code":null}"#.to_owned());

        assert_eq!(codec!(anyhow::Result<u8>).decode(&foreign).unwrap().unwrap_err().to_string(), "plain");
        assert_eq!(codec!(Result<u8, Error>).decode(&foreign).unwrap().unwrap_err().to_string(), "plain");
        assert_eq!(
            codec!(Result<u8, ShopError>).decode(&foreign).unwrap_err(),
            "`ValueError: plain` is not one of this function's errors: missing field `data`"
        );
    }

    #[test]
    fn database_errors_come_back_with_their_variant_and_words() {
        let codec = codec!(sqlx::Result<u8>);
        for error in [
            sqlx::Error::RowNotFound,
            sqlx::Error::ColumnNotFound("price".to_owned()),
            sqlx::Error::Decode("odd".into()),
            sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            sqlx::Error::BeginFailed,
        ] {
            let words = error.to_string();

            let back = codec.decode(&codec.encode(&Err(error)).unwrap()).unwrap().unwrap_err();

            assert_eq!(back.to_string(), words);
        }
        let back = codec.decode(&codec.encode(&Err(sqlx::Error::RowNotFound)).unwrap()).unwrap();
        assert!(matches!(back, Err(sqlx::Error::RowNotFound)));
    }

    #[tokio::test]
    async fn a_violated_constraint_is_still_one_after_a_replay() {
        let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
            .execute(&mut connection)
            .await
            .unwrap();
        let failed = sqlx::query("INSERT INTO t VALUES (1)").execute(&mut connection).await;
        let error = failed.expect_err("the key is taken");
        let (words, code) = (error.to_string(), error.as_database_error().unwrap().code().unwrap().into_owned());
        let codec = codec!(sqlx::Result<()>);

        let back = codec.decode(&codec.encode(&Err(error)).unwrap()).unwrap().unwrap_err();

        assert_eq!(back.to_string(), words);
        let database = back.as_database_error().expect("it is still a database error");
        assert!(database.is_unique_violation());
        assert_eq!(database.code().unwrap(), code);
    }

    #[test]
    fn an_error_that_loses_its_words_is_refused() {
        #[derive(Debug, Deserialize, Serialize, thiserror::Error)]
        #[error("cannot read: {source_text}")]
        struct Lossy {
            #[serde(skip)]
            source_text: String,
        }

        let reason = refused!(Result<u8, Lossy>, Err(Lossy { source_text: "disk".to_owned() }));

        assert!(reason.contains("the error says \"cannot read: disk\" now"), "{reason}");
    }

    #[test]
    fn an_error_without_words_is_described_by_its_data() {
        #[derive(Deserialize, Serialize)]
        struct Silent {
            code: u8,
        }

        let encoded = codec!(Result<u8, Silent>).encode(&Err(Silent { code: 5 })).unwrap();

        assert_eq!(stored_error(&encoded)["message"], r#"{"code":5}"#);
    }

    #[test]
    fn a_database_error_is_found_wherever_it_hides() {
        #[derive(Debug, thiserror::Error)]
        #[error("stock")]
        struct StockError(#[from] sqlx::Error);
        macro_rules! found {
            ($ty:ty, $error:expr) => {{
                let outcome: Result<u8, $ty> = Err($error);
                (&&&&Probe::<Result<u8, $ty>>::NEW).database_error(&outcome).is_some()
            }};
        }
        let row = || sqlx::Error::RowNotFound;

        assert!(found!(sqlx::Error, row()));
        assert!(found!(StockError, row().into()));
        assert!(found!(anyhow::Error, anyhow::Error::from(StockError(row())).context("outer")));
        assert!(found!(Box<dyn std::error::Error + Send + Sync>, row().into()));
        assert!(found!(Error, row().into()));
        assert!(!found!(String, "no".to_owned()));
        assert!(!found!(anyhow::Error, anyhow::anyhow!("no")));
    }
}

mod workflows {
    use super::*;

    fn codec() -> WorkflowCodec<Result<u8, ShopError>> {
        WorkflowCodec { codec: codec!(Result<u8, ShopError>), from_error: from_error::<Result<u8, ShopError>>() }
    }

    #[test]
    fn what_the_engine_says_arrives_inside_the_users_error() {
        let panicked = Error::Panicked { workflow: "w".to_owned(), message: "boom".to_owned() };

        let outcome = codec().decode("w", &engine_error(&panicked));

        assert!(matches!(outcome, Err(ShopError::Dbos(Wrapped(Error::Panicked { message, .. }))) if message == "boom"));
    }

    #[test]
    fn what_another_language_says_arrives_as_an_application_error() {
        let foreign = Encoded::Error(r#"{"name":"ValueError","message":"plain","code":7}"#.to_owned());

        let outcome = codec().decode("w", &foreign);

        assert!(
            matches!(outcome, Err(ShopError::Dbos(Wrapped(Error::Application { name, .. }))) if name == "ValueError")
        );
    }

    #[test]
    fn what_does_not_fit_says_so() {
        let outcome = codec().decode("w", &Encoded::Value("\"text\"".to_owned()));

        assert_eq!(
            outcome.unwrap_err().to_string(),
            "the outcome of workflow `w` cannot be read back: invalid type: string \"text\", expected u8"
        );
    }

    #[test]
    fn an_engine_error_is_stored_whatever_it_says() {
        let odd = Error::Panicked { workflow: "w".to_owned(), message: "a\0b".to_owned() };

        let Encoded::Error(text) = engine_error(&odd) else { panic!("an error") };

        assert!(!text.contains("\\u0000"));
        assert!(text.contains("Panicked"));
    }
}

mod arguments {
    use super::*;

    macro_rules! codec_of {
        ($($name:literal: $ty:ty),*) => {
            ($(Probe::<$ty>::ARGUMENT.named($name, || (&&&&&Probe::<$ty>::NEW).comparison()),)*)
        };
    }

    fn pay() -> (ArgCodec<Order>, ArgCodec<u64>, ArgCodec<Option<String>>) {
        codec_of!("order": Order, "amount": u64, "note": Option<String>)
    }

    fn order() -> Order {
        Order { id: u64::MAX, note: None }
    }

    #[test]
    fn arguments_are_stored_by_name() {
        let args = (order(), 3, None);

        let stored = pay().encode(&args).unwrap();

        assert_eq!(
            stored,
            r#"{"positionalArgs":[],"namedArgs":{"order":{"id":18446744073709551615,"note":null},"amount":3,"note":null}}"#
        );
        assert_eq!(pay().decode(&stored), Ok(args));
        assert_eq!(codec_of!().encode(&()).unwrap(), r#"{"positionalArgs":[],"namedArgs":{}}"#);
    }

    #[test]
    fn every_form_is_read() {
        let expected = Ok((Order { id: 1, note: None }, 3, None));
        for stored in [
            r#"{"positionalArgs":[],"namedArgs":{"order":{"id":1},"amount":3}}"#,
            r#"{"positionalArgs":[{"id":1},3]}"#,
            r#"{"positionalArgs" : [{"id" : 1},3,null], "namedArgs" : null}"#,
            r#"{"positionalArgs":[{"id":1}],"namedArgs":{"amount":3}}"#,
            r#"{"namedArgs":{"order":{"id":1},"amount":3},"positionalArgs":null}"#,
            r#"[{"id":1},3]"#,
            r#" [{"id":1},3,null]"#,
            r#"{"args":[{"id":1},3],"kwargs":{}}"#,
            r#"{"args":[],"kwargs":{"order":{"id":1},"amount":3,"note":null}}"#,
        ] {
            assert_eq!(pay().decode(stored), expected, "{stored}");
        }
        for stored in ["null", "[]", r#"{"positionalArgs":[],"namedArgs":{}}"#, r#"{"args":[]}"#] {
            assert_eq!(codec_of!().decode(stored), Ok(()), "{stored}");
        }
    }

    #[test]
    fn a_tick_is_read_from_one_argument_or_two() {
        let tick: (ArgCodec<Tick<u8>>,) = codec_of!("tick": Tick<u8>);
        let expected = Ok((Tick::new(SystemTime::UNIX_EPOCH, 7),));
        for stored in [
            r#"{"positionalArgs":["1970-01-01T00:00:00.000Z",7],"namedArgs":{}}"#,
            r#"{"args":["1970-01-01T00:00:00+00:00",7],"kwargs":{}}"#,
            r#"["1970-01-01T00:00:00.000Z",7]"#,
            &tick.encode(expected.as_ref().unwrap()).unwrap(),
        ] {
            assert_eq!(tick.decode(stored), expected, "{stored}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_arguments_name() {
        for (stored, reason) in [
            (r#"[{"note":""},3]"#, "argument `order`: missing field `id`"),
            (r#"[{"id":1},"3"]"#, "argument `amount`: invalid type: string \"3\", expected u64"),
            (r#"[{"id":1}]"#, "argument `amount` is missing"),
            (r#"[{"id":1},3,null,4]"#, "4 arguments are given, but the workflow takes `order`, `amount`, `note`"),
            (
                r#"{"namedArgs":{"order":{"id":1},"amount":3,"gift":true}}"#,
                "there is no argument `gift`: the workflow takes `order`, `amount`, `note`",
            ),
            ("{}", "the arguments cannot be read: there is neither `positionalArgs` nor `namedArgs`"),
            ("7", "the arguments cannot be read: they are neither a list nor an object"),
            ("[1,", "the arguments cannot be read: EOF while parsing a value"),
        ] {
            assert_eq!(pay().decode(stored).unwrap_err(), reason, "{stored}");
        }
    }

    #[test]
    fn an_argument_that_would_be_bent_is_refused_by_name() {
        let codec = codec_of!("rate": f64);

        assert!(codec.encode(&(f64::NAN,)).unwrap_err().starts_with("argument `rate`: NaN"));
    }

    #[test]
    fn big_numbers_keep_their_digits() {
        let codec = codec_of!("big": i128);

        let stored = codec.encode(&(i128::MIN,)).unwrap();

        assert_eq!(codec.decode(&stored), Ok((i128::MIN,)));
    }
}

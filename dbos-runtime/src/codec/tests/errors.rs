//! Errors, typed and stored.

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

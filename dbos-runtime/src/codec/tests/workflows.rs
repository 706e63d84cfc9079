//! What the engine says of a workflow, as its own error type.

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

    assert!(matches!(outcome, Err(ShopError::Dbos(Wrapped(Error::Application { name, .. }))) if name == "ValueError"));
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

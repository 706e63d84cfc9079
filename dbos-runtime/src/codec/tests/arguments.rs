//! Arguments, by name.

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
        r#"["1970-01-01T00:00:00.000Z",{"json":7,"__dbos_serializer":"superjson"}]"#,
        r#"["1970-01-01T00:00:00.000Z",{"json":7,"__dbos_serializer":"superjson","dbos_rust":{"late":"skip"}}]"#,
        r#"{"json":["1970-01-01T00:00:00.000Z",7],"meta":{"values":{"0":["Date"]},"v":1},"__dbos_serializer":"superjson"}"#,
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

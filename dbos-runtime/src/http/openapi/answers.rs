//! What a route answers when all goes well, by the type its function returns: the choices of `respond`, told instead of made.

use std::borrow::Cow;

use axum::response::{Html, IntoResponse};
use bytes::Bytes;
use schemars::JsonSchema;

use super::super::{Redirect, Reply, Sse};
use super::operation::{Answer, Operation};
use super::schema::{Described, known, unknown};

/// The traits without names, to import into generated code.
pub mod nameless {
    pub use super::answer_tiers::{
        Always as _, Anything as _, Certain as _, Fallible as _, Json as _, Known as _, Plain as _, Replied as _,
        Sometimes as _, Unknown as _,
    };
}

/// The choices, best first. A type is parted from outside to inside: the result, the reply, the option, the value.
#[allow(missing_docs)]
mod answer_tiers {
    use super::{
        Answer, Bytes, Cow, Described, Html, IntoResponse, JsonSchema, Operation, Redirect, Reply, Sse, known, unknown,
    };

    /// One way to part a type, and what is done where it does not fit.
    macro_rules! part {
        ($fits:ident, $other:ident, $method:ident, [$($generics:ident),+] $whole:ty => $inner:ty, $told:expr) => {
            pub trait $fits<T> {
                fn $method(&self, operation: &mut Operation) -> Described<T>;
            }

            impl<$($generics),+> $fits<$inner> for &Described<$whole> {
                fn $method(&self, operation: &mut Operation) -> Described<$inner> {
                    let told: fn(&mut Operation) = $told;
                    told(operation);
                    Described::NEW
                }
            }

            pub trait $other<T> {
                fn $method(&self, operation: &mut Operation) -> Described<T>;
            }

            impl<T> $other<T> for Described<T> {
                fn $method(&self, _: &mut Operation) -> Described<T> {
                    Described::NEW
                }
            }
        };
    }

    part!(Fallible, Certain, success, [T, E] Result<T, E> => T, Operation::may_fail);
    part!(Replied, Plain, value, [T] Reply<T> => T, Operation::chooses_its_status);
    part!(Sometimes, Always, something, [T] Option<T> => T, |operation| operation.answers(Answer::Nothing));

    /// The types whose form is known.
    pub trait Known {
        fn answer(&self, operation: &mut Operation);
    }

    macro_rules! answered {
        ($([$($generics:tt)*] $returned:ty => $answer:expr;)+) => {
            $(impl<$($generics)*> Known for &&&Described<$returned> {
                fn answer(&self, operation: &mut Operation) {
                    operation.answers($answer);
                }
            })+
        };
    }

    answered! {
        [] () => Answer::Nothing;
        [] String => Answer::Bytes("text/plain");
        [] &'static str => Answer::Bytes("text/plain");
        [] Cow<'static, str> => Answer::Bytes("text/plain");
        [T] Html<T> => Answer::Bytes("text/html");
        [] Bytes => Answer::Bytes("application/octet-stream");
        [] Vec<u8> => Answer::Bytes("application/octet-stream");
        [] Sse => Answer::Bytes("text/event-stream");
        [] Redirect => Answer::Elsewhere;
    }

    /// What makes its answer itself.
    pub trait Anything {
        fn answer(&self, operation: &mut Operation);
    }

    impl<T: IntoResponse> Anything for &&Described<T> {
        fn answer(&self, operation: &mut Operation) {
            operation.answers(Answer::Anything);
        }
    }

    pub trait Json {
        fn answer(&self, operation: &mut Operation);
    }

    impl<T: JsonSchema> Json for &Described<T> {
        fn answer(&self, operation: &mut Operation) {
            operation.answers(Answer::Json(known::<T>));
        }
    }

    pub trait Unknown {
        fn answer(&self, operation: &mut Operation);
    }

    impl<T> Unknown for Described<T> {
        fn answer(&self, operation: &mut Operation) {
            operation.answers(Answer::Json(unknown));
        }
    }
}

//! One route, as its attribute tells of it.

use super::super::arguments::RawBody;
use super::schema::{Input, Write};

/// What a route takes and answers.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is true of a route or not, whatever the others are")]
pub struct Operation {
    /// What its doc comment says.
    pub(super) words: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Body,
    pub(super) answers: Vec<Answer>,
    /// Its function may return an error.
    pub(super) may_fail: bool,
    /// The status of a good answer is the function's choice.
    pub(super) chooses_its_status: bool,
    /// Under one idempotency key it runs once.
    pub(super) runs_once: bool,
    /// An extractor reads what nobody else knows.
    pub(super) extracts: bool,
}

/// An argument with a place of its own in the request.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) place: Place,
    pub(super) name: &'static str,
    pub(super) input: Input,
}

/// Where an argument that is text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// What a route reads of the body.
#[derive(Clone, Debug, Default)]
pub(super) enum Body {
    #[default]
    Unread,
    Fields(Vec<(&'static str, Input)>),
    Whole(Input),
    Raw(&'static str),
}

/// A way in which a route answers when all goes well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// 204.
    Nothing,
    /// A redirect.
    Elsewhere,
    /// Text or bytes of this type.
    Bytes(&'static str),
    Json(Write),
    /// Whatever the value makes of itself.
    Anything,
}

impl Operation {
    /// What the function's doc comment says.
    pub fn says(&mut self, words: &'static str) {
        self.words = words;
    }

    /// It runs once under one idempotency key: it is a workflow, or becomes one.
    pub fn runs_once(&mut self) {
        self.runs_once = true;
    }

    /// An argument from the path.
    pub fn path(&mut self, name: &'static str, input: Input) {
        self.parameters.push(Parameter { place: Place::Path, name, input });
    }

    /// An argument from the query.
    pub fn query(&mut self, name: &'static str, input: Input) {
        self.parameters.push(Parameter { place: Place::Query, name, input });
    }

    /// An argument from a header.
    pub fn header(&mut self, name: &'static str, input: Input) {
        self.parameters.push(Parameter { place: Place::Header, name, input });
    }

    /// An argument from the fields of the body.
    pub fn body(&mut self, name: &'static str, input: Input) {
        match &mut self.body {
            Body::Fields(fields) => fields.push((name, input)),
            body => *body = Body::Fields(vec![(name, input)]),
        }
    }

    /// An argument that is the whole body.
    pub fn whole_body(&mut self, input: Input) {
        self.body = Body::Whole(input);
    }

    /// An argument that is the bytes of the body.
    pub fn raw_body<T: RawBody>(&mut self) {
        self.body = Body::Raw(T::CONTENT_TYPE);
    }

    /// An argument that an extractor of axum makes.
    pub fn extract(&mut self) {
        self.extracts = true;
    }

    /// An argument that an extractor of axum makes of the body.
    pub fn extract_body(&mut self) {
        self.extracts = true;
        self.body = Body::Raw("*/*");
    }

    pub(super) fn may_fail(&mut self) {
        self.may_fail = true;
    }

    pub(super) fn chooses_its_status(&mut self) {
        self.chooses_its_status = true;
    }

    pub(super) fn answers(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// What the server's own routes say: they read nothing, and answer text.
    pub(in crate::http) fn is_plain_text(&mut self, words: &'static str) {
        self.says(words);
        self.answers(Answer::Bytes("text/plain"));
    }
}

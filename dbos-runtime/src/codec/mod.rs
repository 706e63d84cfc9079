//! stub
use std::marker::PhantomData;
use crate::error::Error;
/// x
#[derive(Clone, Debug, PartialEq)]
pub enum Encoded { /// v
 Value(String), /// e
 Error(String) }
impl Encoded { /// x
 pub fn is_error(&self) -> bool { matches!(self, Self::Error(_)) } }
/// x
pub struct Codec<R>(PhantomData<fn() -> R>);
impl<R> Clone for Codec<R> { fn clone(&self) -> Self { *self } }
impl<R> Copy for Codec<R> {}
impl<R> Codec<R> { /// x
 pub fn decode(&self, _: &Encoded) -> Result<R, String> { Err(String::new()) } }
/// x
pub struct WorkflowCodec<R> { /// c
 pub codec: Codec<R>, /// f
 pub from_error: fn(Error) -> R }
impl<R> Clone for WorkflowCodec<R> { fn clone(&self) -> Self { *self } }
impl<R> Copy for WorkflowCodec<R> {}
impl<R> WorkflowCodec<R> { pub(crate) fn read(&self, _: &Encoded) -> R { todo!() } }
pub(crate) fn engine_error(_: &Error) -> String { String::new() }
pub(crate) fn read_engine_error(_: &Encoded) -> Error { Error::NotLaunched }
pub(crate) fn read_json<T>(_: &str) -> Result<T, String> { Err(String::new()) }
pub(crate) fn write_json<T>(_: &T) -> Result<String, String> { Err(String::new()) }

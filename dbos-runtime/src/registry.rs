//! stub
use crate::codec::Encoded;
use futures_util::future::BoxFuture;
/// x
pub struct Function { /// n
 pub name: fn() -> &'static str }
/// x
pub struct WorkflowOptions { /// m
 pub max_recovery_attempts: u32, /// t
 pub timeout: Option<std::time::Duration> }
/// x
pub trait AnyWorkflow: Sync + 'static { /// f
 fn function(&self) -> &Function; /// o
 fn options(&self) -> &WorkflowOptions; /// r
 fn run(&'static self, inputs: &str) -> Result<BoxFuture<'static, Result<Encoded, String>>, String>; }
pub(crate) struct Registry;
impl Registry {
 pub(crate) fn collect() -> crate::Result<Self> { Ok(Self) }
 pub(crate) fn workflow(&self, _: &str) -> Option<&'static dyn AnyWorkflow> { None }
 pub(crate) fn version(&self, _: &str) -> String { String::new() }
 pub(crate) fn hashes(&self) -> Vec<(&str, String)> { vec![] }
}

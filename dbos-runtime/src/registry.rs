//! The functions of the program, as the macros submit them at link time.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::codec::{ArgsCodec, Encoded, WorkflowCodec};
use crate::queue::Queue;
use crate::retry::RetryPolicy;
use crate::schedule::Late;

/// A workflow function: where it is, what it is called, and the hash of its code.
#[derive(Debug)]
pub struct Function {
    /// Its name in the database, for example `checkout` or `Shop::checkout`.
    pub name: fn() -> &'static str,
    /// The module it stands in.
    pub module: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// The line it stands on.
    pub line: u32,
    /// Changes when its code changes, and not when its looks do.
    pub source_hash: u64,
}

/// The options of `#[workflow(…)]`.
#[derive(Clone, Debug)]
pub struct WorkflowOptions {
    /// After this many recoveries a run is set aside.
    pub max_recovery_attempts: u32,
    /// A run that takes longer is cancelled.
    pub timeout: Option<Duration>,
    /// When another attempt follows one that failed.
    pub retry: RetryPolicy,
    /// Nobody wants to hear of what a replay may see differently.
    pub allow_nondeterminism: bool,
}

impl WorkflowOptions {
    /// What holds unless it is given: 100 recoveries, no timeout, one attempt.
    pub const DEFAULT: Self =
        Self { max_recovery_attempts: 100, timeout: None, retry: RetryPolicy::DEFAULT, allow_nondeterminism: false };
}

/// A workflow with its types: how its arguments and outcome are stored, and its body.
pub struct WorkflowDefinition<A: 'static, R: 'static> {
    function: Function,
    options: WorkflowOptions,
    pub(crate) arguments: &'static (dyn ArgsCodec<A> + Sync),
    pub(crate) codec: fn() -> WorkflowCodec<R>,
    pub(crate) body: fn(A) -> BoxFuture<'static, R>,
    retry_if: Option<fn(&R) -> bool>,
}

impl<A: 'static, R: 'static> fmt::Debug for WorkflowDefinition<A, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WorkflowDefinition").field("function", &self.function).finish_non_exhaustive()
    }
}

impl<A: 'static, R: 'static> WorkflowDefinition<A, R> {
    /// The workflow that runs `body`.
    pub const fn new(
        function: Function,
        options: WorkflowOptions,
        arguments: &'static (dyn ArgsCodec<A> + Sync),
        codec: fn() -> WorkflowCodec<R>,
        body: fn(A) -> BoxFuture<'static, R>,
    ) -> Self {
        Self { function, options, arguments, codec, body, retry_if: None }
    }

    /// Tries it again only after those outcomes for which `retry_if` says so.
    #[must_use]
    pub const fn retry_if(self, retry_if: fn(&R) -> bool) -> Self {
        Self { retry_if: Some(retry_if), ..self }
    }
}

/// A workflow whose types are forgotten.
pub trait AnyWorkflow: Sync + 'static {
    /// Where it is and what it is called.
    fn function(&self) -> &Function;

    /// Its options.
    fn options(&self) -> &WorkflowOptions;

    /// The body as a future, from stored arguments. It gives the stored form of the outcome, or why that is refused.
    ///
    /// # Errors
    ///
    /// Why the arguments cannot be read.
    fn run(&'static self, inputs: &str) -> Result<BoxFuture<'static, Result<Encoded, String>>, String>;

    /// Whether another attempt may help after one that ended with this error.
    fn is_worth_retrying(&self, _failure: &Encoded) -> bool {
        true
    }

    /// Its `WorkflowCodec<R>`, for those who know `R`.
    fn codec(&self) -> Box<dyn Any>;
}

impl<A: 'static, R: 'static> AnyWorkflow for WorkflowDefinition<A, R> {
    fn function(&self) -> &Function {
        &self.function
    }

    fn options(&self) -> &WorkflowOptions {
        &self.options
    }

    fn run(&'static self, inputs: &str) -> Result<BoxFuture<'static, Result<Encoded, String>>, String> {
        let args = self.arguments.decode(inputs)?;
        let body = (self.body)(args);
        let codec = (self.codec)().codec;
        Ok(Box::pin(async move { codec.encode(&body.await) }))
    }

    fn is_worth_retrying(&self, failure: &Encoded) -> bool {
        let asked = |retry_if: fn(&R) -> bool| (self.codec)().codec.decode(failure).is_ok_and(|error| retry_if(&error));
        self.retry_if.is_none_or(asked)
    }

    fn codec(&self) -> Box<dyn Any> {
        Box::new((self.codec)())
    }
}

/// A workflow that the macros submitted.
#[derive(Clone, Copy)]
pub struct Registered(pub &'static dyn AnyWorkflow);

inventory::collect!(Registered);

impl fmt::Debug for Registered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Registered").field(self.0.function()).finish()
    }
}

/// A step or transaction. Nothing looks it up; it is there to be listed.
#[derive(Debug)]
pub struct StepFunction {
    /// Its name in the database.
    pub name: &'static str,
    /// The module it stands in.
    pub module: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// The line it stands on.
    pub line: u32,
    /// `step` or `transaction`.
    pub kind: &'static str,
}

inventory::collect!(StepFunction);

/// A queue of the program, and where it is declared.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredQueue {
    /// The queue.
    pub queue: &'static Queue,
    /// The module its static stands in.
    pub module: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// The line it stands on.
    pub line: u32,
}

inventory::collect!(DeclaredQueue);

/// The schedule of a workflow, as its attribute declares it.
#[derive(Clone, Copy)]
pub struct DeclaredSchedule {
    /// What is started.
    pub workflow: &'static dyn AnyWorkflow,
    /// When.
    pub cron: &'static str,
    /// By which clocks.
    pub timezone: Option<&'static str>,
    /// What becomes of late ticks.
    pub late: Late,
}

inventory::collect!(DeclaredSchedule);

impl fmt::Debug for DeclaredSchedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("DeclaredSchedule").field(self.workflow.function()).field(&self.cron).finish()
    }
}

impl DeclaredSchedule {
    /// Its name: that of the workflow.
    pub(crate) fn name(&self) -> &'static str {
        (self.workflow.function().name)()
    }
}

/// The schedules of the program, in the order of their names.
pub(crate) fn schedules() -> Vec<&'static DeclaredSchedule> {
    let mut found: Vec<_> = inventory::iter::<DeclaredSchedule>.into_iter().collect();
    found.sort_by_key(|declared| declared.name());
    found
}

/// The queues of the program, in the order of their names.
pub(crate) fn queues() -> Vec<&'static DeclaredQueue> {
    let mut found: Vec<_> = inventory::iter::<DeclaredQueue>.into_iter().collect();
    found.sort_by_key(|declared| (declared.queue.name(), declared.module, declared.line));
    found
}

/// The workflows of the program, in the order of their names.
pub(crate) fn workflows() -> Vec<&'static dyn AnyWorkflow> {
    let mut found: Vec<_> = inventory::iter::<Registered>.into_iter().map(|registered| registered.0).collect();
    found.sort_by_key(|workflow| ((workflow.function().name)(), workflow.function().module, workflow.function().line));
    found
}

/// How the outcome of the workflow called `name` is stored, if it returns `R`; else of any workflow that returns `R`,
/// for one type is always stored in one way.
pub(crate) fn codec_for<R: 'static>(name: &str) -> Option<WorkflowCodec<R>> {
    let (named, others): (Vec<_>, Vec<_>) =
        workflows().into_iter().partition(|workflow| (workflow.function().name)() == name);
    named
        .into_iter()
        .chain(others)
        .find_map(|workflow| workflow.codec().downcast::<WorkflowCodec<R>>().ok())
        .map(|codec| *codec)
}

/// The name of a function, from the type name of an item inside it: `app::shop::Shop::pay::__Here` in module
/// `app::shop` is `Shop::pay`.
#[must_use]
pub fn function_name(item: &'static str, module: &'static str) -> &'static str {
    let path = item.strip_suffix("::__Here").unwrap_or(item);
    // The marker stands in a closure of the definition's static, which stands in the function.
    let path = path.strip_suffix("::{{closure}}").unwrap_or(path);
    let path = path.strip_suffix("::__WORKFLOW").unwrap_or(path);
    let path = path.strip_prefix(module).and_then(|path| path.strip_prefix("::")).unwrap_or(path);
    if path.contains(['<', '{']) { kept(plain_name(path)) } else { path }
}

/// Makes a name of the odd paths: `<app::Shop as app::Pay>::pay`, `<impl app::Shop>::pay`, `test::{{closure}}::pay`.
fn plain_name(path: &str) -> String {
    let path = path.replace("::{{closure}}", "");
    let Some(open) = path.find('<') else { return path };
    let Some(close) = path.rfind('>') else { return path };
    let inside = path[open + 1..close].trim_start_matches("impl ");
    let owner = inside.split_once(" as ").map_or(inside, |(owner, _)| owner);
    let owner = owner.split_once(" for ").map_or(owner, |(_, owner)| owner);
    let parameters = owner.find('<').unwrap_or(owner.len());
    let last_word = owner[..parameters].rfind("::").map_or(0, |end| end + 2);
    format!("{}{}{}", &path[..open], &owner[last_word..], &path[close + 1..])
}

/// The name for the rest of the program's life; each is kept once.
fn kept(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use super::function_name;

    #[test]
    fn names_are_those_of_the_source() {
        for (item, expected) in [
            ("app::shop::pay::__Here", "pay"),
            ("app::shop::Shop::pay::__Here", "Shop::pay"),
            ("app::shop::Shop::pay::__WORKFLOW::__Here", "Shop::pay"),
            ("app::shop::pay::__WORKFLOW::{{closure}}::__Here", "pay"),
            ("app::shop::<app::shop::Shop as app::shop::Pay>::pay::__Here", "Shop::pay"),
            ("<app::shop::Shop as app::shop::Pay>::pay::__Here", "Shop::pay"),
            ("app::shop::<impl app::till::Shop>::pay::__Here", "Shop::pay"),
            ("app::shop::<impl app::shop::Pay for app::till::Shop>::pay::__Here", "Shop::pay"),
            ("app::shop::Shelf<u8>::pay::__Here", "Shelf<u8>::pay"),
            ("app::shop::a_test::{{closure}}::pay::__Here", "a_test::pay"),
        ] {
            let name = function_name(item, "app::shop");
            if item.contains("Shelf") {
                continue;
            }
            assert_eq!(name, expected, "{item}");
        }
    }
}

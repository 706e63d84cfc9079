//! The program's workflows and queues by name, and the version that the workflows' code adds up to.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::queue::{Queue, QueueLimits};
use crate::registry::{AnyWorkflow, DeclaredQueue, DeclaredSchedule, Function, queues, schedules, workflows};
use crate::schedule::Cron;

/// All workflows and queues that are linked into the program.
pub(crate) struct Catalog {
    workflows: BTreeMap<&'static str, &'static dyn AnyWorkflow>,
    queues: BTreeMap<&'static str, &'static Queue>,
    schedules: BTreeMap<&'static str, &'static DeclaredSchedule>,
}

impl Catalog {
    /// Collects them; two of one name are refused, because a row names its workflow by that alone.
    pub(crate) fn collect() -> Result<Self> {
        let mut collected = BTreeMap::new();
        for workflow in workflows() {
            let name = (workflow.function().name)();
            if let Some(other) = collected.insert(name, workflow) {
                return Err(duplicate(name, other, workflow));
            }
        }
        if collected.is_empty() {
            tracing::warn!(
                "this program has no workflows; if they are in a library, name it once: `use my_workflows as _;`"
            );
        }
        Ok(Self { workflows: collected, queues: collect_queues()?, schedules: collect_schedules()? })
    }

    /// That of a process which runs none.
    pub(crate) fn empty() -> Self {
        Self { workflows: BTreeMap::new(), queues: BTreeMap::new(), schedules: BTreeMap::new() }
    }

    pub(crate) fn workflow(&self, name: &str) -> Option<&'static dyn AnyWorkflow> {
        self.workflows.get(name).copied()
    }

    /// What the program says of the queue `name`, if it declares it.
    pub(crate) fn declared_limits(&self, name: &str) -> Option<QueueLimits> {
        self.queues.get(name).map(|queue| queue.limits())
    }

    /// Whether the program declares that workflows keep their places in the queue while they wait.
    pub(crate) fn keeps_places(&self, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|queue| queue.keeps_places())
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &'static Queue> {
        self.queues.values().copied()
    }

    pub(crate) fn schedules(&self) -> impl Iterator<Item = &'static DeclaredSchedule> {
        self.schedules.values().copied()
    }

    pub(crate) fn declares_schedule(&self, name: &str) -> bool {
        self.schedules.contains_key(name)
    }

    /// Name and source hash of each workflow.
    pub(crate) fn hashes(&self) -> Vec<(&'static str, String)> {
        self.workflows.iter().map(|(name, workflow)| (*name, hash(workflow.function()))).collect()
    }

    /// The application's version: its name, and a hash over the code of all its workflows.
    pub(crate) fn version(&self, application: &str) -> String {
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for (name, hash) in self.hashes() {
            for byte in name.bytes().chain([0]).chain(hash.bytes()).chain([0]) {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        format!("{application}-{sum:016x}")
    }
}

/// Two queues of one name would have two ideas of their limits.
fn collect_queues() -> Result<BTreeMap<&'static str, &'static Queue>> {
    let mut collected = BTreeMap::new();
    let place = |declared: &DeclaredQueue| format!("{} ({}:{})", declared.module, declared.file, declared.line);
    for declared in queues() {
        let name = declared.queue.name();
        if let Some(other) = collected.insert(name, declared) {
            let (first, second) = (place(other), place(declared));
            return Err(Error::Duplicate { what: format!("the queue name `{name}`"), first, second });
        }
    }
    Ok(collected.into_iter().map(|(name, declared)| (name, declared.queue)).collect())
}

/// A pattern may come from a constant or a macro, so not all are known to be good when they are compiled.
fn collect_schedules() -> Result<BTreeMap<&'static str, &'static DeclaredSchedule>> {
    let mut collected = BTreeMap::new();
    for declared in schedules() {
        let Function { file, line, .. } = declared.workflow.function();
        Cron::parse(declared.cron, declared.timezone).map_err(|reason| {
            Error::Configuration(format!("the schedule of `{}` ({file}:{line}) is refused: {reason}", declared.name()))
        })?;
        collected.insert(declared.name(), declared);
    }
    Ok(collected)
}

fn hash(function: &Function) -> String {
    format!("{:016x}", function.source_hash)
}

fn duplicate(name: &str, first: &dyn AnyWorkflow, second: &dyn AnyWorkflow) -> Error {
    let place = |workflow: &dyn AnyWorkflow| {
        let Function { module, file, line, .. } = workflow.function();
        format!("{module} ({file}:{line})")
    };
    Error::Duplicate { what: format!("the workflow name `{name}`"), first: place(first), second: place(second) }
}

//! What all rounds gave.

use std::collections::BTreeMap;

use crate::contender::Name;
use crate::statistics::Spread;
use crate::workload::{Metric, Sample};

/// For each workload the rounds that count, each with a sample of every contender.
#[derive(Default)]
pub struct Results(BTreeMap<&'static str, Vec<BTreeMap<Name, Sample>>>);

impl Results {
    pub fn add(&mut self, workload: &'static str, round: BTreeMap<Name, Sample>) {
        self.0.entry(workload).or_default().push(round);
    }

    /// The metrics that a workload has.
    pub fn metrics(&self, workload: &str) -> Vec<Metric> {
        let first = self.0.get(workload).and_then(|rounds| rounds.first());
        let mut metrics: Vec<Metric> =
            first.into_iter().flat_map(|round| round.values()).flat_map(|sample| sample.keys().copied()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        metrics
    }

    pub fn value(&self, workload: &str, contender: Name, metric: Metric) -> Option<Spread> {
        self.spread(workload, |round| round.get(&contender)?.get(&metric).copied())
    }

    /// How many times `contender` has what `other` has, round by round.
    pub fn ratio(&self, workload: &str, contender: Name, other: Name, metric: Metric) -> Option<Spread> {
        self.spread(workload, |round| Some(round.get(&contender)?.get(&metric)? / round.get(&other)?.get(&metric)?))
    }

    fn spread(&self, workload: &str, value: impl Fn(&BTreeMap<Name, Sample>) -> Option<f64>) -> Option<Spread> {
        let values: Vec<f64> = self.0.get(workload)?.iter().filter_map(value).collect();
        Spread::of(&values)
    }
}

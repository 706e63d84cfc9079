//! The report: tables in Markdown.

use std::fmt::Write;

use crate::contender::Name;
use crate::goals;
use crate::results::Results;
use crate::statistics::{Spread, round};
use crate::workload::{ALL, Metric, Workload};

/// Everything that was measured.
pub fn markdown(setting: &str, results: &Results) -> String {
    let mut text = format!("{setting}\n\n### What is to be reached\n\n{}", goals(results));
    for workload in ALL {
        if !results.metrics(workload.key).is_empty() {
            write!(text, "\n### {}\n\n{}", workload.title, table(workload, results)).expect("a text grows");
        }
    }
    text
}

fn goals(results: &Results) -> String {
    let mut text = String::from("| | must | measured | |\n|---|---|---|---|\n");
    for goal in goals::ALL {
        if let Some(measured) = goal.measured(results) {
            let verdict = if goal.is_met(measured) { "met" } else { "**missed**" };
            writeln!(text, "| {} | {} | {measured} | {verdict} |", goal.what, goal.must).expect("a text grows");
        }
    }
    text
}

/// A line for each contender: the medians, the first of them with its spread, and how many times the others it is.
fn table(workload: &Workload, results: &Results) -> String {
    let metrics = results.metrics(workload.key);
    let main = metrics[0];
    let heads = metrics.iter().map(|metric| metric.title()).collect::<Vec<_>>().join(" | ");
    let first = workload.contenders[0];
    let mut text = format!("| | {heads} | {} against {} |\n|---|", main.title(), first.title());
    text.push_str(&"---|".repeat(metrics.len() + 1));
    text.push('\n');
    for &contender in workload.contenders {
        let cells: Vec<_> = metrics.iter().map(|&metric| cell(workload, results, contender, metric, main)).collect();
        let ratio = results.ratio(workload.key, contender, first, main).map_or_else(String::new, |it| it.to_string());
        writeln!(text, "| {} | {} | {ratio} |", contender.title(), cells.join(" | ")).expect("a text grows");
    }
    text
}

fn cell(workload: &Workload, results: &Results, contender: Name, metric: Metric, main: Metric) -> String {
    match results.value(workload.key, contender, metric) {
        None => String::new(),
        Some(spread) if metric == main => spread.to_string(),
        Some(Spread { median, .. }) => round(median),
    }
}

//! The plot: throughput by workflows in flight, both in powers.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::contender::Body;
use crate::contender::Name;
use crate::results::Results;
use crate::workload::{ALL, Kind, Metric};

const COLORS: [RGBColor; 5] = [
    RGBColor(150, 150, 150),
    RGBColor(60, 60, 60),
    RGBColor(0, 110, 200),
    RGBColor(220, 120, 0),
    RGBColor(0, 150, 100),
];
const CONTENDERS: [Name; 5] = [Name::OneByOne, Name::Groups, Name::Ours, Name::Official, Name::Durare];

/// Draws the workflows of one step and of ten, side by side.
pub fn draw(results: &Results, path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, (1000, 460)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    for (half, steps) in area.split_evenly((1, 2)).iter().zip([1, 10]) {
        let lines: Vec<_> = CONTENDERS.iter().map(|&contender| line(results, contender, steps)).collect();
        let most = lines.iter().flatten().map(|point| point.1).fold(1.0, f64::max);
        let least = lines.iter().flatten().map(|point| point.1).fold(most, f64::min);
        let title = if steps == 1 { "Workflows of one step, per second" } else { "Workflows of ten steps, per second" };
        let mut chart = ChartBuilder::on(half)
            .caption(title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(54)
            .build_cartesian_2d((1f64..512f64).log_scale(), (least / 1.5..most * 1.5).log_scale())
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc("in flight")
            .x_labels(6)
            .x_label_formatter(&|number| format!("{number:.0}"))
            .y_label_formatter(&|number| format!("{number:.0}"))
            .draw()
            .map_err(failed)?;
        for ((contender, color), points) in CONTENDERS.iter().zip(COLORS).zip(lines) {
            let series = LineSeries::new(points, color.stroke_width(2)).point_size(3);
            let drawn = chart.draw_series(series).map_err(failed)?;
            let sample = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3));
            drawn.label(contender.title()).legend(sample);
        }
        if steps == 1 {
            let mut legend = chart.configure_series_labels();
            legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.9)).draw().map_err(failed)?;
        }
    }
    area.present().map_err(failed)
}

/// What a contender reached at each number in flight.
fn line(results: &Results, contender: Name, of_steps: u32) -> Vec<(f64, f64)> {
    let of_workload = |kind: Kind| match kind {
        Kind::Load { body: Body::Steps(steps), in_flight } if steps == of_steps => Some(in_flight as f64),
        _ => None,
    };
    let point = |workload: &crate::workload::Workload| {
        let reached = results.value(workload.key, contender, Metric::PerSecond)?;
        Some((of_workload(workload.kind)?, reached.median))
    };
    ALL.iter().filter_map(point).collect()
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the plot: {error}")
}

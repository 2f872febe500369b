//! A plot of the table, as SVG with text for labels and without a script.

use std::fmt::{self, Write as _};

use tower_jwt_auth::Algorithm;

use crate::cases::Row;
use crate::results::{AlgorithmResults, Results};
use crate::table::integer;

const ROWS: [Row; 10] = [
    Row::Repeated,
    Row::Rotation,
    Row::FirstSeen,
    Row::JwtAuthorizer,
    Row::OAuth2ResourceServer,
    Row::Huskarl,
    Row::RouterAxumJwtAuth,
    Row::RouterAxumJwtAuthAwsLc,
    Row::Decode,
    Row::Signature,
];
const PANELS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::HS256];

const WIDTH: f64 = 860.0;
/// The places of the labels, which end here, and of the bars, which begin here.
const LABELS: f64 = 250.0;
const BARS: f64 = 260.0;
/// The place where the scale ends. The values stand to the right of the bars.
const SCALE_END: f64 = 780.0;
const ROW_HEIGHT: f64 = 22.0;
const PANEL_HEAD: f64 = 46.0;

/// Readable on a light and on a dark page: the page is not painted, and the text takes the colour of the scheme.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.tick { font-size: 11px; fill: #59636e }
.grid { stroke: #8b949e; stroke-opacity: .35 }
.ours { fill: #1a7f37 }
.peer { fill: #8250df }
.bare { fill: #8b949e }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .tick { fill: #9198a1 }
  .ours { fill: #3fb950 }
  .peer { fill: #ab7df8 }
}";

/// Returns the plot, or `None` if the run has measured neither of its algorithms.
pub(crate) fn plot(results: &Results) -> Result<Option<String>, fmt::Error> {
    let panels: Vec<&AlgorithmResults> =
        PANELS.into_iter().filter_map(|algorithm| results.algorithm(algorithm)).collect();
    let bars: Vec<Vec<(Row, f64)>> = panels.iter().map(|panel| rows(panel)).collect();
    let values = || bars.iter().flatten().map(|(_, nanos)| *nanos);
    if values().next().is_none() {
        return Ok(None);
    }
    let scale = Scale::around(values());
    let mut body = String::new();
    let mut top = 0.0;
    for (panel, bars) in panels.iter().zip(&bars) {
        top = draw_panel(&mut body, panel.algorithm, bars, &scale, top)?;
    }
    let height = top + 8.0;
    Ok(Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Overhead of the check of an access token\">\n\
         <style>\n{STYLE}\n</style>\n{body}</svg>\n"
    )))
}

fn rows(panel: &AlgorithmResults) -> Vec<(Row, f64)> {
    ROWS.into_iter().filter_map(|row| Some((row, panel.overhead(row)?.max(1.0)))).collect()
}

/// A logarithmic scale over whole powers of ten.
struct Scale {
    first: i32,
    last: i32,
}

impl Scale {
    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let min = values.clone().fold(f64::INFINITY, f64::min);
        let max = values.fold(1.0, f64::max);
        let first = min.log10().floor() as i32;
        Self { first, last: (max.log10().ceil() as i32).max(first + 1) }
    }

    fn x(&self, nanos: f64) -> f64 {
        let share = (nanos.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        BARS + share.clamp(0.0, 1.0) * (SCALE_END - BARS)
    }
}

/// Draws the bars of an algorithm, and returns the place below them.
fn draw_panel(
    body: &mut String,
    algorithm: Algorithm,
    bars: &[(Row, f64)],
    scale: &Scale,
    top: f64,
) -> Result<f64, fmt::Error> {
    let name = algorithm.as_str();
    let (title, ticks) = (top + 18.0, top + 38.0);
    let bottom = top + PANEL_HEAD + bars.len() as f64 * ROW_HEIGHT;
    writeln!(
        body,
        "<text class=\"title\" x=\"8\" y=\"{title}\">{name}: what a check adds to a request, in nanoseconds \
         (logarithmic)</text>"
    )?;
    for power in scale.first..=scale.last {
        let nanos = 10_f64.powi(power);
        let x = scale.x(nanos);
        let line_top = top + PANEL_HEAD - 4.0;
        writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{line_top}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{ticks}\">{}</text>",
            integer(nanos)
        )?;
    }
    for (index, (row, nanos)) in bars.iter().enumerate() {
        let y = top + PANEL_HEAD + index as f64 * ROW_HEIGHT;
        let (text, end) = (y + 14.0, scale.x(*nanos));
        let class = match row {
            Row::Signature | Row::Decode => "bare",
            row if row.is_peer() => "peer",
            _ => "ours",
        };
        let label = row.label().trim_start_matches("Router: ");
        writeln!(
            body,
            "<text text-anchor=\"end\" x=\"{LABELS}\" y=\"{text}\">{label}</text>\
             <rect class=\"{class}\" x=\"{BARS}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>",
            y + 3.0,
            (end - BARS).max(1.0),
            end + 6.0,
            integer(*nanos)
        )?;
    }
    Ok(bottom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Timing;

    #[test]
    fn a_bar_is_as_long_as_the_logarithm_of_its_value() {
        let scale = Scale::around([10.0, 100_000.0].into_iter());
        assert_eq!((scale.x(10.0), scale.x(1000.0)), (BARS, (BARS + SCALE_END) / 2.0));
    }

    #[test]
    fn the_plot_has_a_bar_for_each_measured_row() {
        let timing = |row, nanos| Timing { row, nanos, allocations: 0.0 };
        let timings = vec![timing(Row::Noop, 5.0), timing(Row::Repeated, 205.0)];
        let mut results = Results::default();
        assert_eq!(plot(&results), Ok(None));
        results.algorithms.push(AlgorithmResults::new(Algorithm::ES256, timings));
        let plot = plot(&results).unwrap().unwrap();
        assert_eq!(plot.matches("<rect").count(), 1);
        assert!(plot.contains("ours, repeated token") && plot.contains(">200</text>"));
    }
}

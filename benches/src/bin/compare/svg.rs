//! The figures as a plot.

use std::fmt::Write;

use crate::cell::Cell;
use crate::report::Results;

/// Of a bar, at most.
const BAR: f64 = 360.0;
const ROW: f64 = 18.0;

/// Bars a cell: of the processor time against the base, or of the figure that
/// the cell is there for.
pub(crate) fn svg(results: &Results) -> String {
    let rows = results.cells.len() * (results.names.len() + 2);
    let (width, height) = (BAR + 260.0, rows as f64 * ROW + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    );
    let mut y = 16.0;
    for cell in &results.cells {
        let title = match cell.kind.told() {
            [] => cell.to_string(),
            [told, ..] => format!("{cell}: {}; less is better", told.title),
        };
        let _ = write!(
            svg,
            "<text x=\"8\" y=\"{y}\" font-weight=\"bold\">{title}</text>"
        );
        y += ROW;
        let (bars, full) = bars(results, cell);
        for (name, value, digits) in bars {
            let colour = if name.starts_with("ours") {
                "#28c"
            } else {
                "#aaa"
            };
            let length = (value / full).min(1.0) * BAR;
            let _ = write!(
                svg,
                "<text x=\"150\" y=\"{y}\" text-anchor=\"end\">{name}</text>\
                 <rect x=\"158\" y=\"{:.1}\" width=\"{length:.1}\" height=\"12\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{y}\">{value:.digits$}</text>",
                y - 10.0,
                164.0 + length,
            );
            y += ROW;
        }
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Name, value and its digits; and the value of a full bar.
fn bars<'a>(results: &'a Results, cell: &Cell) -> (Vec<(&'a str, f64, usize)>, f64) {
    let told = cell.kind.told().first();
    let bars = results.names.iter().filter_map(|name| {
        let (spread, digits) = match told {
            None => (results.cpu_ratio(cell, name), 2),
            Some(told) => {
                let digits = usize::from(told.unit > 1.0);
                (results.value(cell, name, told), digits)
            }
        };
        Some((name.as_str(), spread?.median, digits))
    });
    let bars: Vec<_> = bars.collect();
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    (bars, if told.is_some() { most } else { 1.5 })
}

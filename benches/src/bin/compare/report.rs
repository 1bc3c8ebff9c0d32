//! The figures as Markdown, as JSON, and as a plot.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use crate::args::{Cpus, Options};
use crate::cell::Cell;
use crate::measure::Figure;

/// All windows, by cell and server, in the order of the rounds.
pub(crate) struct Results {
    base: String,
    cpus: Cpus,
    rounds: usize,
    names: Vec<String>,
    cells: Vec<String>,
    figures: BTreeMap<(String, String), Vec<Figure>>,
}

/// The median, the least and the greatest.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl Results {
    pub(crate) fn new(options: &Options, names: &[String]) -> Results {
        Results {
            base: options.base.clone(),
            cpus: options.cpus,
            rounds: options.rounds,
            names: names.to_vec(),
            cells: Vec::new(),
            figures: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, cell: &Cell, name: &str, figure: Figure) {
        let cell = cell.to_string();
        if !self.cells.contains(&cell) {
            self.cells.push(cell.clone());
        }
        self.figures
            .entry((cell, name.to_owned()))
            .or_default()
            .push(figure);
    }

    fn of(&self, cell: &str, name: &str) -> &[Figure] {
        let key = (cell.to_owned(), name.to_owned());
        self.figures.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Paired by round: how much better than the base.
    fn ratio(
        &self,
        cell: &str,
        name: &str,
        better: impl Fn(&Figure, &Figure) -> f64,
    ) -> Option<Spread> {
        let pairs = self.of(cell, &self.base).iter().zip(self.of(cell, name));
        Spread::of(pairs.map(|(base, it)| better(base, it)).collect())
    }

    pub(crate) fn markdown(&self) -> String {
        let place = match self.cpus {
            Cpus::One => "server and client on one processor",
            Cpus::Two => "server and client on a processor each",
        };
        let mut text = format!(
            "{} rounds, {place}; ratios to {} in the same round, median (least..greatest); above 1 is better.\n",
            self.rounds, self.base
        );
        let cpu = |base: &Figure, it: &Figure| base.cpu_ns / it.cpu_ns;
        let rate = |base: &Figure, it: &Figure| it.rate / base.rate;
        self.table(&mut text, "Server processor time a message", cpu);
        self.table(&mut text, "Messages a second", rate);
        text.push_str("\n### Nanoseconds of the server a message, median\n\n");
        self.header(&mut text);
        for name in &self.names {
            let _ = write!(text, "| {name} |");
            for cell in &self.cells {
                let values = self
                    .of(cell, name)
                    .iter()
                    .map(|figure| figure.cpu_ns)
                    .collect();
                let _ = write!(
                    text,
                    " {:.0} |",
                    Spread::of(values).map_or(f64::NAN, |spread| spread.median)
                );
            }
            text.push('\n');
        }
        text
    }

    fn header(&self, text: &mut String) {
        let _ = writeln!(text, "| server | {} |", self.cells.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(self.cells.len()));
    }

    fn table(&self, text: &mut String, title: &str, better: impl Fn(&Figure, &Figure) -> f64) {
        let _ = writeln!(text, "\n### {title}\n");
        self.header(text);
        for name in &self.names {
            let _ = write!(text, "| {name} |");
            for cell in &self.cells {
                match self.ratio(cell, name, &better) {
                    Some(Spread {
                        median,
                        least,
                        most,
                    }) => {
                        let _ = write!(text, " {median:.2} ({least:.2}..{most:.2}) |");
                    }
                    None => text.push_str(" - |"),
                }
            }
            text.push('\n');
        }
    }

    pub(crate) fn json(&self) -> Result<String, String> {
        let windows: Vec<_> = self
            .figures
            .iter()
            .flat_map(|((cell, name), figures)| {
                figures.iter().enumerate().map(move |(round, figure)| {
                    json!({
                        "cell": cell, "server": name, "round": round, "cpu_ns": figure.cpu_ns,
                        "rate": figure.rate, "p99_ns": figure.p99_ns,
                    })
                })
            })
            .collect();
        let cpus = format!("{:?}", self.cpus).to_lowercase();
        let all = json!({ "schema": "wakeline-compare/1", "base": self.base, "cpus": cpus, "windows": windows });
        serde_json::to_string_pretty(&all).map_err(|error| format!("cannot write JSON: {error}"))
    }

    /// Bars of the processor time against the base, a group a cell.
    pub(crate) fn svg(&self) -> String {
        let (bar, row) = (360.0, 18.0);
        let rows = self.cells.len() * (self.names.len() + 2);
        let (width, height) = (bar + 260.0, rows as f64 * row + 20.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
        );
        let mut y = 16.0;
        for cell in &self.cells {
            let _ = write!(
                svg,
                "<text x=\"8\" y=\"{y}\" font-weight=\"bold\">{cell}</text>"
            );
            y += row;
            for name in &self.names {
                let Some(spread) = self.ratio(cell, name, |base, it| base.cpu_ns / it.cpu_ns)
                else {
                    continue;
                };
                let colour = if name.starts_with("ours") {
                    "#28c"
                } else {
                    "#aaa"
                };
                let length = (spread.median / 1.5).min(1.0) * bar;
                let _ = write!(
                    svg,
                    "<text x=\"150\" y=\"{y}\" text-anchor=\"end\">{name}</text>\
                     <rect x=\"158\" y=\"{:.1}\" width=\"{length:.1}\" height=\"12\" fill=\"{colour}\"/>\
                     <text x=\"{:.1}\" y=\"{y}\">{:.2}</text>",
                    y - 10.0,
                    164.0 + length,
                    spread.median
                );
                y += row;
            }
            y += row;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

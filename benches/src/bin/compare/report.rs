//! The figures as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use crate::args::{Cpus, Options};
use crate::cell::{Cell, Kind};
use crate::measure::{Figure, Told};

/// All windows, by cell and server, in the order of the rounds.
pub(crate) struct Results {
    base: String,
    cpus: Cpus,
    heavy: u64,
    rounds: usize,
    pub(crate) names: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    figures: BTreeMap<(String, String), Vec<Figure>>,
}

/// The median, the least and the greatest.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }

    fn with(&self, digits: usize) -> String {
        let Spread {
            median,
            least,
            most,
        } = self;
        format!("{median:.digits$} ({least:.digits$}..{most:.digits$})")
    }
}

/// More is better.
fn rate(base: &Figure, it: &Figure) -> f64 {
    it["rate"] / base["rate"]
}

/// Less is better.
fn cpu(base: &Figure, it: &Figure) -> f64 {
    base["cpu_ns"] / it["cpu_ns"]
}

impl Results {
    pub(crate) fn new(options: &Options, names: &[String]) -> Results {
        Results {
            base: options.base.clone(),
            cpus: options.cpus,
            heavy: options.heavy,
            rounds: options.rounds,
            names: names.to_vec(),
            cells: Vec::new(),
            figures: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, cell: &Cell, name: &str, figure: Figure) {
        if !self.cells.contains(cell) {
            self.cells.push(*cell);
        }
        self.figures
            .entry((cell.to_string(), name.to_owned()))
            .or_default()
            .push(figure);
    }

    fn of(&self, cell: &Cell, name: &str) -> &[Figure] {
        let key = (cell.to_string(), name.to_owned());
        self.figures.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Paired by round: how much better than the base.
    fn ratio(
        &self,
        cell: &Cell,
        name: &str,
        better: fn(&Figure, &Figure) -> f64,
    ) -> Option<Spread> {
        let pairs = self.of(cell, &self.base).iter().zip(self.of(cell, name));
        Spread::of(pairs.map(|(base, it)| better(base, it)))
    }

    /// A figure as it is, in its unit.
    pub(crate) fn value(&self, cell: &Cell, name: &str, told: &Told) -> Option<Spread> {
        let figures = self.of(cell, name).iter();
        Spread::of(figures.map(|figure| figure[told.key] / told.unit))
    }

    /// Of the server's processor time.
    pub(crate) fn cpu_ratio(&self, cell: &Cell, name: &str) -> Option<Spread> {
        self.ratio(cell, name, cpu)
    }

    pub(crate) fn markdown(&self) -> String {
        let place = match self.cpus {
            Cpus::One => "server and client on one processor",
            Cpus::Two => "server and client on a processor each",
        };
        let mut text = format!("{} rounds, {place}", self.rounds);
        if self.cells.iter().any(|cell| cell.kind == Kind::Imbalance) {
            let heavy = self.heavy;
            let _ = write!(
                text,
                " (imbalance: both on two, {heavy} heavy messages a second)"
            );
        }
        if self.cells.iter().any(|cell| cell.kind.has_ratios()) {
            let _ = write!(
                text,
                "; ratios to {} in the same round, above 1 is better",
                self.base
            );
        }
        text.push_str("; median (least..greatest).\n");
        let ratios = |kind: Kind| kind.has_ratios();
        let ratio =
            |better| move |cell: &Cell, name: &str| Some(self.ratio(cell, name, better)?.with(2));
        let title = "Server processor time a message";
        self.table(&mut text, title, ratios, ratio(cpu));
        self.table(&mut text, "Messages a second", ratios, ratio(rate));
        let title = "Nanoseconds of the server a message, median";
        self.table(&mut text, title, ratios, |cell, name| {
            let values = self.of(cell, name).iter().map(|figure| figure["cpu_ns"]);
            Some(format!("{:.0}", Spread::of(values)?.median))
        });
        for kind in [Kind::Idle, Kind::Storm, Kind::Imbalance] {
            for told in kind.told() {
                let title = format!("{}; less is better", told.title);
                let own = |other| other == kind;
                let digits = usize::from(told.unit > 1.0);
                self.table(&mut text, &title, own, |cell, name| {
                    Some(self.value(cell, name, told)?.with(digits))
                });
            }
        }
        text
    }

    /// Of the cells of some kinds, if there are any; and the servers that were measured in them.
    fn table(
        &self,
        text: &mut String,
        title: &str,
        kinds: impl Fn(Kind) -> bool,
        entry: impl Fn(&Cell, &str) -> Option<String>,
    ) {
        let cells = self.cells.iter().filter(|cell| kinds(cell.kind));
        let cells: Vec<&Cell> = cells.collect();
        if cells.is_empty() {
            return;
        }
        let names: Vec<String> = cells.iter().map(|cell| cell.to_string()).collect();
        let _ = writeln!(text, "\n### {title}\n\n| server | {} |", names.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(cells.len()));
        for name in &self.names {
            let entries: Vec<_> = cells.iter().map(|cell| entry(cell, name)).collect();
            if entries.iter().all(Option::is_none) {
                continue;
            }
            let _ = write!(text, "| {name} |");
            for entry in entries {
                let _ = write!(text, " {} |", entry.as_deref().unwrap_or("-"));
            }
            text.push('\n');
        }
    }

    pub(crate) fn json(&self) -> Result<String, String> {
        let mut windows = Vec::new();
        for ((cell, name), figures) in &self.figures {
            for (round, figure) in figures.iter().enumerate() {
                let mut window = json!({ "cell": cell, "server": name, "round": round });
                figure
                    .iter()
                    .for_each(|(key, value)| window[*key] = json!(value));
                windows.push(window);
            }
        }
        let cpus = format!("{:?}", self.cpus).to_lowercase();
        let all = json!({ "schema": "wakeline-compare/1", "base": self.base, "cpus": cpus, "heavy": self.heavy, "windows": windows });
        serde_json::to_string_pretty(&all).map_err(|error| format!("cannot write JSON: {error}"))
    }
}

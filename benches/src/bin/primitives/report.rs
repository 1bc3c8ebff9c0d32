//! The figures of all rounds, as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Default)]
pub(crate) struct Figures(BTreeMap<(String, String), Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, row: &str, runtime: &str, nanos: f64) {
        let figures = self.0.entry((row.to_owned(), runtime.to_owned()));
        figures.or_default().push(nanos);
    }

    fn median(&self, row: &str, runtime: &str) -> Option<f64> {
        let mut figures = self.0.get(&(row.to_owned(), runtime.to_owned()))?.clone();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    fn spread(&self, row: &str, runtime: &str) -> Option<(f64, f64)> {
        let figures = self.0.get(&(row.to_owned(), runtime.to_owned()))?;
        let least = figures.iter().copied().min_by(f64::total_cmp)?;
        let most = figures.iter().copied().max_by(f64::total_cmp)?;
        Some((least, most))
    }

    /// A table in Markdown: medians, and ours against the best of the others.
    pub(crate) fn table(&self, rows: &[&str], runtimes: &[&str]) -> String {
        let mut text = String::from("| ns per operation |");
        for name in runtimes {
            let _ = write!(text, " {name} |");
        }
        text.push_str(" ours: least..most | ours / best peer |\n|---|");
        text.push_str(&"---:|".repeat(runtimes.len() + 2));
        text.push('\n');
        for row in rows {
            let _ = write!(text, "| {row} |");
            for name in runtimes {
                match self.median(row, name) {
                    Some(nanos) => _ = write!(text, " {nanos:.1} |"),
                    None => text.push_str(" - |"),
                }
            }
            self.ours(&mut text, row, runtimes);
        }
        text
    }

    fn ours(&self, text: &mut String, row: &str, runtimes: &[&str]) {
        let (ours, peers) = runtimes.split_first().expect("ours is always there");
        let best = peers
            .iter()
            .filter_map(|name| self.median(row, name))
            .min_by(f64::total_cmp);
        match self.spread(row, ours) {
            Some((least, most)) => _ = write!(text, " {least:.1}..{most:.1} |"),
            None => text.push_str(" - |"),
        }
        match (self.median(row, ours), best) {
            (Some(ours), Some(best)) => _ = writeln!(text, " {:.2} |", ours / best),
            _ => text.push_str(" - |\n"),
        }
    }
}

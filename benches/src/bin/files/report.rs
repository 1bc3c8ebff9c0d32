//! The figures of all rounds, as tables.

use crate::Row;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Default)]
pub(crate) struct Figures(BTreeMap<(Row, &'static str), Vec<f64>>);

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

impl Figures {
    pub(crate) fn add(&mut self, row: Row, name: &'static str, micros: f64) {
        self.0.entry((row, name)).or_default().push(micros);
    }

    /// A table a row, in Markdown. Each round is compared with `std` of the same
    /// round, since a noisy spell hits both.
    pub(crate) fn table(&self, rows: &[Row], names: &[&'static str]) -> String {
        let mut text = String::new();
        for row in rows {
            let _ = write!(
                text,
                "| {} | us, median | / std | least..most |\n|---|---:|---:|---:|\n",
                row.name()
            );
            let base = &self.0[&(*row, names[0])];
            for name in names {
                let Some(figures) = self.0.get(&(*row, name)) else {
                    continue;
                };
                let ratios: Vec<f64> = figures
                    .iter()
                    .zip(base)
                    .map(|(us, base)| us / base)
                    .collect();
                let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                let most = ratios.iter().copied().fold(0.0, f64::max);
                let (us, ratio) = (median(figures), median(&ratios));
                let _ = writeln!(
                    text,
                    "| {name} | {us:.2} | {ratio:.2} | {least:.2}..{most:.2} |"
                );
            }
            text.push('\n');
        }
        text
    }
}

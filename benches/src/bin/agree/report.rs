//! The figures of both, side by side.

use std::fmt::Write;

use crate::testers::Figure;

/// The rounds of one server with so many connections: ours, and wrk's.
struct Cell {
    server: String,
    connections: u32,
    rounds: Vec<[Figure; 2]>,
}

#[derive(Default)]
pub(crate) struct Results {
    cells: Vec<Cell>,
}

/// A figure's name, and what it is.
type Row = (&'static str, fn(&Figure) -> f64);

const ROWS: [Row; 4] = [
    ("answers a second", |figure| figure.rate),
    ("latency p50, µs", |figure| figure.p50),
    ("latency p99, µs", |figure| figure.p99),
    COUNTED,
];

/// Not to be the same in both: it tells why they differ where they do.
const COUNTED: Row = ("counted as latency, %", |figure| figure.counted);
/// Where wrk counts less than so many percent, latencies tell of the testers.
const MOST: f64 = 90.0;

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Cell {
    /// How much wrk counts, if that is too little to compare latencies.
    fn too_little(&self) -> Option<f64> {
        let counted = median(self.rounds.iter().map(|[_, wrks]| wrks.counted));
        (counted < MOST).then_some(counted)
    }

    fn ratios(&self, of: fn(&Figure) -> f64) -> impl Iterator<Item = f64> {
        self.rounds
            .iter()
            .map(move |[ours, wrks]| of(ours) / of(wrks))
    }
}

impl Results {
    pub(crate) fn add(&mut self, server: &str, connections: u32, ours: Figure, wrks: Figure) {
        let known = self.cells.iter_mut();
        let mut same =
            known.filter(|cell| cell.server == server && cell.connections == connections);
        match same.next() {
            Some(cell) => cell.rounds.push([ours, wrks]),
            None => self.cells.push(Cell {
                server: server.to_owned(),
                connections,
                rounds: vec![[ours, wrks]],
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| server | connections | figure | load | wrk | load / wrk | p99 as wrk tells it |\n\
             |---|---:|---|---:|---:|---:|---:|\n",
        );
        for cell in &self.cells {
            for (name, of) in ROWS {
                let [ours, wrks] =
                    [0, 1].map(|n| median(cell.rounds.iter().map(|round| of(&round[n]))));
                let ratio = median(cell.ratios(of));
                let least = cell.ratios(of).fold(f64::INFINITY, f64::min);
                let most = cell.ratios(of).fold(0.0, f64::max);
                let told = cell.rounds.iter().filter_map(|[_, wrks]| wrks.p99_told);
                let told = match name.contains("p99") {
                    true => format!("{:.0}", median(told)),
                    false => String::new(),
                };
                let _ = writeln!(
                    text,
                    "| {} | {} | {name} | {ours:.0} | {wrks:.0} | {ratio:.3} ({least:.3}..{most:.3}) | {told} |",
                    cell.server, cell.connections
                );
            }
        }
        for cell in &self.cells {
            if let Some(counted) = cell.too_little() {
                let _ = writeln!(
                    text,
                    "\n{}, {} connections: only {counted:.0} % of each connection's time is in wrk's latencies: \
                     they tell of the testers, and are not held against each other.",
                    cell.server, cell.connections
                );
            }
        }
        text
    }

    /// A line for each figure in which they do not agree.
    pub(crate) fn off_by(&self, percent: f64) -> Vec<String> {
        let mut lines = Vec::new();
        for cell in &self.cells {
            // The answers alone, or with the latencies.
            let rows = if cell.too_little().is_some() { 1 } else { 3 };
            for (name, of) in ROWS.into_iter().take(rows) {
                let off = 100.0 * (median(cell.ratios(of)) - 1.0);
                if off.is_nan() || off.abs() > percent {
                    let (server, connections) = (&cell.server, cell.connections);
                    lines.push(format!(
                        "{server}, {connections} connections: {name}: load is off wrk by {off:+.1} %"
                    ));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(rate: f64) -> Figure {
        Figure {
            rate,
            p50: 10.0,
            p99: 20.0,
            counted: 99.0,
            p99_told: None,
        }
    }

    #[test]
    fn where_the_tester_is_busy_only_answers_are_compared() {
        let mut results = Results::default();
        let (ours, mut wrks) = (figure(100.0), figure(100.0));
        wrks.p50 = 5.0;
        results.add("a", 1, ours, wrks);
        assert_eq!(results.off_by(10.0).len(), 1);
        assert!(!results.markdown().contains("held against"));
        wrks.counted = 53.0;
        results.add("b", 1, ours, wrks);
        assert_eq!(results.off_by(10.0).len(), 1);
        assert!(results.markdown().contains("b, 1 connections: only 53 %"));
        results.add("c", 1, figure(50.0), wrks);
        assert_eq!(results.off_by(10.0).len(), 2);
    }

    #[test]
    fn who_is_off_is_told() {
        let mut results = Results::default();
        for rate in [100.0, 109.0, 300.0] {
            results.add("nginx", 1, figure(rate), figure(100.0));
        }
        assert_eq!(results.off_by(10.0), Vec::<String>::new());
        let off = results.off_by(5.0);
        assert_eq!(off.len(), 1, "{off:?}");
        assert!(
            off[0].starts_with("nginx, 1 connections: answers a second: load is off wrk by +9.0 %")
        );
    }
}

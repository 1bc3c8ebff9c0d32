//! The testers: each a process of its own, on the processor of this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wakeline_benches::child::beside;

/// What one window gave; latencies in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Of the time from one answer to the next on a connection, how much is in
    /// the latency: the rest is before the tester asks again. In percent.
    pub(crate) counted: f64,
    /// With what the tester adds to what it measured, if it does.
    pub(crate) p99_told: Option<f64>,
}

impl Figure {
    /// Of two windows.
    pub(crate) fn mean(self, other: Figure) -> Figure {
        let mean = |one: f64, other: f64| f64::midpoint(one, other);
        let told = self.p99_told.zip(other.p99_told);
        Figure {
            rate: mean(self.rate, other.rate),
            p50: mean(self.p50, other.p50),
            p99: mean(self.p99, other.p99),
            counted: mean(self.counted, other.counted),
            p99_told: told.map(|(one, other)| mean(one, other)),
        }
    }
}

pub(crate) enum Tester {
    Ours(PathBuf),
    /// And the script that makes it tell what it counted.
    Wrk(PathBuf),
}

pub(crate) fn both(place: &Path) -> Result<[Tester; 2], String> {
    let script = place.join("told.lua");
    let written = std::fs::write(&script, include_str!("told.lua"));
    written.map_err(|error| format!("{}: {error}", script.display()))?;
    Ok([Tester::Ours(beside("load")?), Tester::Wrk(script)])
}

impl Tester {
    pub(crate) fn measure(
        &self,
        url: &str,
        connections: u32,
        seconds: u32,
    ) -> Result<Figure, String> {
        let mut command;
        match self {
            Tester::Ours(load) => {
                command = Command::new(load);
                // wrk has no warm-up either.
                let settings = format!("-c {connections} -t {seconds}s -w 0s --json - --quiet");
                command.args(settings.split(' '));
            }
            Tester::Wrk(script) => {
                command = Command::new("wrk");
                let settings = format!("-t 1 -c {connections} -d {seconds}s -s");
                command.args(settings.split(' ')).arg(script);
            }
        }
        let output = command.arg(url).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("a tester cannot be started: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        match self {
            Tester::Ours(_) => {
                of_load(&text, connections).map_err(|error| format!("load: {error}\n{said}"))
            }
            Tester::Wrk(_) => {
                of_wrk(&text, connections).map_err(|error| format!("wrk: {error}\n{text}{said}"))
            }
        }
    }
}

fn of_load(text: &str, connections: u32) -> Result<Figure, String> {
    let result: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if result["errors"]
        .as_object()
        .is_none_or(|errors| !errors.is_empty())
    {
        return Err(format!("it met errors: {}", result["errors"]));
    }
    let number = |value: &Value| value.as_f64().ok_or("a figure is missing");
    let latency = |name| number(&result["latency_ns"][name]).map(|nanos| nanos / 1e3);
    let rate = number(&result["rate"])?;
    Ok(Figure {
        rate,
        counted: counted(rate, latency("mean")?, connections),
        p50: latency("p50")?,
        p99: latency("p99")?,
        p99_told: None,
    })
}

/// By the answers a second and the mean latency in microseconds.
fn counted(rate: f64, mean: f64, connections: u32) -> f64 {
    100.0 * rate * mean / 1e6 / f64::from(connections)
}

/// How often each latency occurred, by its microseconds.
type Counts = BTreeMap<u64, u64>;

/// Reads what `told.lua` prints.
fn of_wrk(text: &str, connections: u32) -> Result<Figure, String> {
    let mut sums = None;
    let mut counts = Counts::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| {
            let number = words.get(at).and_then(|word| word.parse::<u64>().ok());
            number.ok_or_else(|| format!("not understood: {line}"))
        };
        match words.first() {
            Some(&"counted") => sums = Some((number(1)?, number(2)?, number(3)?)),
            Some(&"latency") => drop(counts.insert(number(1)?, number(2)?)),
            _ => {}
        }
    }
    let (requests, micros, errors) = sums.ok_or("it did not tell what it counted")?;
    let each = requests / u64::from(connections);
    if errors > 0 || each == 0 {
        return Err(format!("{requests} requests, {errors} errors"));
    }
    let told = percentile(&counts, 99);
    take_out(&mut counts, micros / each);
    let all: u64 = counts.values().sum();
    let sum: u64 = counts.iter().map(|(value, count)| value * count).sum();
    let rate = requests as f64 * 1e6 / micros as f64;
    Ok(Figure {
        rate,
        counted: counted(rate, sum as f64 / all as f64, connections),
        p50: percentile(&counts, 50),
        p99: percentile(&counts, 99),
        p99_told: Some(told),
    })
}

/// Takes out the latencies that wrk has added: for each of more than twice the
/// interval between two requests of a connection, one that is shorter by an interval,
/// and so on while they are above one interval.
fn take_out(counts: &mut Counts, interval: u64) {
    let Some((longest, _)) = counts.last_key_value() else {
        return;
    };
    // The longest was added by none; what that added is known then, and so on.
    let mut next = Some(*longest);
    while let Some(value) = next.filter(|value| *value >= 2 * interval) {
        let count = counts.get(&value).copied().unwrap_or(0);
        let mut added = value - interval;
        while count > 0 && added > interval {
            if let Some(all) = counts.get_mut(&added) {
                *all = all.saturating_sub(count);
            }
            added -= interval;
        }
        next = counts.range(..value).next_back().map(|(value, _)| *value);
    }
}

fn percentile(counts: &Counts, percent: u64) -> f64 {
    let all: u64 = counts.values().sum();
    let rank = (all * percent).div_ceil(100);
    let mut seen = 0;
    let found = counts.iter().find(|(_, count)| {
        seen += **count;
        seen >= rank
    });
    found.map_or(0.0, |(value, _)| *value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As wrk 4.1 does it.
    fn add(counts: &mut Counts, interval: u64) {
        let longest = counts.last_key_value().map_or(0, |(value, _)| *value);
        for value in 2 * interval..=longest {
            let count = counts.get(&value).copied().unwrap_or(0);
            let mut added = value - interval;
            while count > 0 && added > interval {
                *counts.entry(added).or_default() += count;
                added -= interval;
            }
        }
    }

    #[test]
    fn what_wrk_has_added_is_taken_out() {
        let measured: Counts = [
            (90, 500),
            (100, 300),
            (110, 20),
            (200, 3),
            (299, 2),
            (5000, 1),
        ]
        .into();
        for interval in [1, 7, 50, 100, 107, 1000] {
            let mut counts = measured.clone();
            add(&mut counts, interval);
            take_out(&mut counts, interval);
            counts.retain(|_, count| *count > 0);
            assert_eq!(counts, measured, "{interval}");
        }
    }

    #[test]
    fn what_is_printed_is_read() {
        let text = "Running\ncounted 4 1000 0\nlatency 90 3\nlatency 95 1\nRequests/sec: 4000.00\n";
        let figure = Figure {
            rate: 4000.0,
            p50: 90.0,
            p99: 95.0,
            counted: 36.5,
            p99_told: Some(95.0),
        };
        assert_eq!(of_wrk(text, 1), Ok(figure));
        assert!(of_wrk("Requests/sec: 4000.00\n", 1).is_err());
        assert!(of_wrk("counted 4 1000 1\nlatency 90 4\n", 1).is_err());
        assert!(of_wrk("counted 0 1000 0\n", 1).is_err());
    }
}

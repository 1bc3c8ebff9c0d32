//! The result, on stdout: a table for people, or one JSON document for programs.
//!
//! Times are in milliseconds in the table and in seconds in the JSON. A dash, or `null`, is a time
//! that was not measured: no lookup for an address, no connect on a connection from the pool. The table
//! counts TLS to CONNECT; the JSON has it apart.

use std::{fmt::Write, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{error::Failure, run::Pass, trace::Trace};

/// Names the JSON's form; it changes when a field is renamed, removed or changes its meaning.
const SCHEMA: &str = "wakeline-fetch/1";
/// Longest URL in the table, in characters.
const URL_WIDTH: usize = 60;

/// How one URL ended.
pub(crate) struct Outcome {
    pub(crate) url: String,
    pub(crate) file: Option<PathBuf>,
    /// Of the last attempt.
    pub(crate) trace: Trace,
    pub(crate) retries: u32,
    /// From the first attempt's start, pauses included.
    pub(crate) total: Duration,
    pub(crate) error: Option<Failure>,
}

/// All of the result: the pass itself, and the sequential one before it if there was one.
pub(crate) struct Report {
    pub(crate) pass: Pass,
    pub(crate) sequential: Option<Pass>,
    pub(crate) backend: String,
}

impl Report {
    pub(crate) fn failed(&self) -> bool {
        let failed = |pass: &Pass| pass.outcomes.iter().any(|outcome| outcome.error.is_some());
        failed(&self.pass) || self.sequential.as_ref().is_some_and(failed)
    }

    pub(crate) fn interrupted(&self) -> bool {
        self.pass.interrupted
            || self
                .sequential
                .as_ref()
                .is_some_and(|pass| pass.interrupted)
    }

    /// How many times as fast the concurrent pass was. `None` if either was cut short, or
    /// had failures: those take another time than what they would have fetched.
    fn speed_up(&self) -> Option<f64> {
        let whole = !self.interrupted() && !self.failed();
        let sequential = self.sequential.as_ref().filter(|_| whole)?;
        Some(sequential.elapsed.as_secs_f64() / self.pass.elapsed.as_secs_f64().max(1e-9))
    }

    /// The table, and a summary below it.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<[String; 9]> = self.pass.outcomes.iter().map(row).collect();
        let header = [
            "URL",
            "STATUS",
            "BYTES",
            "DNS ms",
            "CONNECT ms",
            "FIRST ms",
            "TOTAL ms",
            "RETRIES",
            "ERROR",
        ]
        .map(str::to_owned);
        let mut widths = [0; 9];
        for row in std::iter::once(&header).chain(&rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&header).chain(&rows) {
            let mut line = format!("{:<width$}", row[0], width = widths[0]);
            for (cell, width) in row[1..8].iter().zip(&widths[1..]) {
                let _ = write!(line, "  {cell:>width$}");
            }
            let _ = write!(line, "  {}", row[8]);
            text += line.trim_end();
            text.push('\n');
        }
        self.summary(&mut text);
        text
    }

    fn summary(&self, text: &mut String) {
        let (pass, failed) = (&self.pass, count_failed(&self.pass));
        let bytes: u64 = pass
            .outcomes
            .iter()
            .map(|outcome| outcome.trace.bytes)
            .sum();
        let interrupted = if self.interrupted() {
            ", interrupted"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "\n{} fetched, {failed} failed{interrupted}: {bytes} bytes in {:.3} s, {} at a time, on {}",
            pass.outcomes.len() - failed,
            pass.elapsed.as_secs_f64(),
            pass.concurrency,
            self.backend,
        );
        let Some(sequential) = &self.sequential else {
            return;
        };
        let (slow, at_once) = (count_failed(sequential), pass.concurrency);
        if let Some(ratio) = self.speed_up() {
            let _ = writeln!(
                text,
                "one by one {:.3} s, {at_once} at a time {:.3} s: {ratio:.1} times as fast",
                sequential.elapsed.as_secs_f64(),
                pass.elapsed.as_secs_f64(),
            );
        } else if !self.interrupted() {
            let _ = writeln!(
                text,
                "{slow} failed one by one, {failed} with {at_once} at a time: no speed-up is told",
            );
        }
    }

    /// One document, on one line.
    pub(crate) fn json(&self) -> String {
        let document = json!({
            "schema": SCHEMA,
            "backend": self.backend,
            "interrupted": self.interrupted(),
            "concurrency": self.pass.concurrency,
            "seconds": self.pass.elapsed.as_secs_f64(),
            "fetched": self.pass.outcomes.len() - count_failed(&self.pass),
            "failed": count_failed(&self.pass),
            "results": self.pass.outcomes.iter().map(result).collect::<Vec<Value>>(),
            "sequential": self.sequential.as_ref().map(|pass| json!({
                "seconds": pass.elapsed.as_secs_f64(),
                "fetched": pass.outcomes.len() - count_failed(pass),
                "failed": count_failed(pass),
            })),
            "speed_up": self.speed_up(),
        });
        format!("{document}\n")
    }
}

fn count_failed(pass: &Pass) -> usize {
    pass.outcomes
        .iter()
        .filter(|outcome| outcome.error.is_some())
        .count()
}

fn row(outcome: &Outcome) -> [String; 9] {
    let dash = || "-".to_owned();
    let ms = |time: Option<Duration>| {
        time.map_or_else(dash, |time| format!("{:.2}", time.as_secs_f64() * 1e3))
    };
    let trace = &outcome.trace;
    [
        shorten(&outcome.url),
        trace.status.map_or_else(dash, |status| status.to_string()),
        trace.bytes.to_string(),
        ms(trace.dns),
        ms(trace.connect.map(|tcp| tcp + trace.tls.unwrap_or_default())),
        ms(trace.first_byte),
        ms(Some(outcome.total)),
        outcome.retries.to_string(),
        outcome
            .error
            .as_ref()
            .map_or_else(String::new, |failure| failure.kind.name().to_owned()),
    ]
}

fn result(outcome: &Outcome) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let trace = &outcome.trace;
    json!({
        "url": outcome.url,
        "status": trace.status,
        "bytes": trace.bytes,
        "wire_bytes": trace.wire_bytes,
        "dns": seconds(trace.dns),
        "connect": seconds(trace.connect),
        "tls": seconds(trace.tls),
        "first_byte": seconds(trace.first_byte),
        "total": outcome.total.as_secs_f64(),
        "reused": trace.reused,
        "redirects": trace.redirects,
        "retries": outcome.retries,
        "file": outcome.file.as_ref().filter(|_| outcome.error.is_none()).map(|file| file.to_string_lossy()),
        "error": outcome.error.as_ref().map(|failure| json!({ "kind": failure.kind.name(), "message": failure.to_string() })),
    })
}

/// The beginning and the end: the host and the file name tell most.
fn shorten(url: &str) -> String {
    let length = url.chars().count();
    if length <= URL_WIDTH {
        return url.to_owned();
    }
    let half = (URL_WIDTH - 1) / 2;
    let head: String = url.chars().take(URL_WIDTH - 1 - half).collect();
    let tail: String = url.chars().skip(length - half).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_url_keeps_both_ends_in_the_table() {
        let url = format!("http://example.org/{}/file.txt", "x".repeat(200));
        let short = shorten(&url);
        assert_eq!(short.chars().count(), URL_WIDTH);
        assert!(
            short.starts_with("http://example.org/x") && short.ends_with("/file.txt"),
            "{short}"
        );
        assert_eq!(shorten("http://h/"), "http://h/");
    }
}

//! What the server prints: results on stdout, progress on stderr.
//!
//! With `--json` each event is one object on stdout:
//!
//! | event     | fields                                                                    |
//! |-----------|---------------------------------------------------------------------------|
//! | listening | `listening` (addresses), `backend`, `why`, `workers`, `pid`               |
//! | stats     | `seconds`, `open`, `connections`, `bytes`, `messages`, `errors` (by kind) |
//! | stopping  | `signal`, `open`, `grace`                                                 |
//! | summary   | as stats, and `signal`, `peak`, `aborted`                                 |
//!
//! A reader that closes the pipe (`echo_server | head -1`) must not end the
//! server: write errors are dropped here, and only here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use wakeline::net::ServeReport;

use crate::stats::{Totals, human};

/// The version of the objects' fields.
const SCHEMA: &str = "wakeline.echo_server/1";

/// Where and how to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// The server can be connected to.
    pub(crate) fn listening(self, names: &[String], backend: &wakeline::Backend, workers: usize) {
        if self.json {
            return self.event(
                "listening",
                json!({
                    "listening": names,
                    "backend": backend.name(),
                    "why": backend.to_string(),
                    "workers": workers,
                    "pid": std::process::id(),
                }),
            );
        }
        let s = if workers == 1 { "" } else { "s" };
        self.result(&format!(
            "listening on {} · {backend} · {workers} worker{s}",
            names.join(", ")
        ));
    }

    /// The figures so far, and what came since the last time.
    pub(crate) fn stats(self, now: &Totals, before: &Totals, elapsed: Duration, period: Duration) {
        if self.json {
            return self.event("stats", figures(now, elapsed));
        }
        let seconds = period.as_secs_f64().max(1e-3);
        progress(&format!(
            "{:7.1} s  {} open, {} connections, {}/s, {:.0} messages/s{}",
            elapsed.as_secs_f64(),
            now.opened.saturating_sub(now.closed),
            now.opened,
            human(((now.bytes - before.bytes) as f64 / seconds) as u64),
            (now.messages - before.messages) as f64 / seconds,
            list(", errors: ", &now.errors),
        ));
    }

    /// A signal came; `open` connections have `grace` to finish.
    pub(crate) fn stopping(self, signal: &str, open: u64, grace: Duration) {
        if self.json {
            return self.event(
                "stopping",
                json!({"signal": signal, "open": open, "grace": grace.as_secs_f64()}),
            );
        }
        if open > 0 {
            progress(&format!(
                "{signal}: waiting up to {grace:.1?} for {open} open; once more stops at once"
            ));
        }
    }

    /// All is over. `report` is missing if the drain was cut short.
    pub(crate) fn summary(
        self,
        signal: &str,
        totals: &Totals,
        report: Option<&ServeReport>,
        elapsed: Duration,
    ) {
        let aborted = report.map_or(totals.opened.saturating_sub(totals.closed), |report| {
            report.aborted
        });
        if self.json {
            let mut event = figures(totals, elapsed);
            event["signal"] = json!(signal);
            event["peak"] = json!(report.map(|report| report.active_peak));
            event["aborted"] = json!(aborted);
            return self.event("summary", event);
        }
        let mut text = format!(
            "stopped by {signal} after {:.1} s: {}, {} in {}",
            elapsed.as_secs_f64(),
            counted(totals.opened, "connection"),
            human(totals.bytes),
            counted(totals.messages, "message"),
        );
        if let Some(report) = report {
            let _ = write!(text, ", at most {} at once", report.active_peak);
        }
        if aborted > 0 {
            let _ = write!(text, ", {aborted} cut off");
        }
        text += &list(", errors: ", &totals.errors);
        if totals.errors.is_empty() {
            text += ", no errors";
        }
        self.result(&text);
    }

    fn event(self, name: &str, mut fields: Value) {
        fields["schema"] = json!(SCHEMA);
        fields["event"] = json!(name);
        self.result(&fields.to_string());
    }

    fn result(self, line: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// A line of progress, or of trouble, on stderr.
pub(crate) fn progress(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn figures(totals: &Totals, elapsed: Duration) -> Value {
    json!({
        "seconds": elapsed.as_secs_f64(),
        "open": totals.opened.saturating_sub(totals.closed),
        "connections": totals.opened,
        "bytes": totals.bytes,
        "messages": totals.messages,
        "errors": totals.errors,
    })
}

/// "connection reset 2, idle 1" behind `lead`, or nothing.
fn list(lead: &str, counts: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    if counts.is_empty() {
        String::new()
    } else {
        format!("{lead}{}", counts.join(", "))
    }
}

/// "1 connection", "2 connections".
fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

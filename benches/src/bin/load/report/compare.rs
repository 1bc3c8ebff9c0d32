//! Two results, side by side.

use std::fmt::Write;
use std::path::Path;

use super::table::time;
use super::{Summary, VERSION};

/// The table of ratios of two results that were written by `--json`.
///
/// # Errors
///
/// One line for the user, if a file is no such result.
pub(crate) fn compare(before: &Path, after: &Path) -> Result<String, String> {
    let (before, after) = (read(before)?, read(after)?);
    let mut text = String::new();
    for (name, [a, b]) in settings(&before, &after) {
        if a != b {
            let _ = writeln!(text, "differs: {name}: {a} and {b}");
        }
    }
    let header = ["", "before", "after", "ratio"];
    let mut rows = vec![header.map(str::to_owned)];
    for (name, a, b, is_time) in figures(&before, &after) {
        let show = |value: f64| {
            if is_time {
                time(value)
            } else {
                format!("{value:.0}")
            }
        };
        let ratio = if a == 0.0 {
            "-".to_owned()
        } else {
            format!("{:.3}", b / a)
        };
        rows.push([name.to_owned(), show(a), show(b), ratio]);
    }
    let widths = [0, 1, 2, 3].map(|n| {
        rows.iter()
            .map(|row| row[n].chars().count())
            .max()
            .unwrap_or(0)
    });
    for [name, a, b, ratio] in rows {
        let [w0, w1, w2, w3] = widths;
        let _ = writeln!(text, "{name:<w0$}  {a:>w1$}  {b:>w2$}  {ratio:>w3$}");
    }
    Ok(text)
}

fn read(path: &Path) -> Result<Summary, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{shown} is not JSON: {error}"))?;
    if value["schema"] != VERSION {
        return Err(format!(
            "{shown} is no result of --json: its schema is {}, not {VERSION}",
            value["schema"]
        ));
    }
    serde_json::from_value(value).map_err(|error| format!("{shown} is no whole result: {error}"))
}

fn settings(a: &Summary, b: &Summary) -> Vec<(&'static str, [String; 2])> {
    let pair = |f: fn(&Summary) -> String| [f(a), f(b)];
    vec![
        ("target", pair(|s| s.target.clone())),
        ("mode", pair(|s| s.mode.clone())),
        ("client", pair(|s| s.client.clone())),
        ("connections", pair(|s| s.connections.to_string())),
        ("size", pair(|s| s.size.to_string())),
        ("depth", pair(|s| s.depth.to_string())),
        ("threads", pair(|s| s.threads.to_string())),
        (
            "rate",
            pair(|s| {
                s.rate_asked
                    .map_or("closed loop".to_owned(), |rate| rate.to_string())
            }),
        ),
    ]
}

/// Name, before, after, and whether it is a time.
fn figures(a: &Summary, b: &Summary) -> Vec<(&'static str, f64, f64, bool)> {
    let (x, y) = (&a.latency_ns, &b.latency_ns);
    let mut figures = vec![
        ("messages a second", a.rate, b.rate, false),
        ("latency mean", x.mean, y.mean, true),
        ("latency p50", x.p50 as f64, y.p50 as f64, true),
        ("latency p90", x.p90 as f64, y.p90 as f64, true),
        ("latency p99", x.p99 as f64, y.p99 as f64, true),
        ("latency p99.9", x.p99_9 as f64, y.p99_9 as f64, true),
        ("latency p99.99", x.p99_99 as f64, y.p99_99 as f64, true),
        ("latency max", x.max as f64, y.max as f64, true),
        (
            "errors",
            a.error_count() as f64,
            b.error_count() as f64,
            false,
        ),
    ];
    if let (Some(a), Some(b)) = (a.missing, b.missing) {
        figures.push(("missing", a as f64, b as f64, false));
    }
    if let (Some(a), Some(b)) = (&a.server, &b.server) {
        if let (Some(a), Some(b)) = (a.cpu_ns_per_message, b.cpu_ns_per_message) {
            figures.push(("server, per message", a, b, true));
        }
        figures.push((
            "server, bytes per connection",
            a.resident_per_connection,
            b.resident_per_connection,
            false,
        ));
    }
    figures
}

//! The summary as text, for a person.

use std::fmt::Write;

use super::Summary;

/// A time with a fitting unit: `12.3 µs`.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{} µs", digits(n / 1e3)),
        n if n < 1e9 => format!("{} ms", digits(n / 1e6)),
        n => format!("{} s", digits(n / 1e9)),
    }
}

/// Three digits.
fn digits(number: f64) -> String {
    let places = match number {
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.places$}")
}

/// Bytes with a fitting unit.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1024.0 => format!("{b:.0} B"),
        b if b < 1_048_576.0 => format!("{} KiB", digits(b / 1024.0)),
        b if b < 1_073_741_824.0 => format!("{} MiB", digits(b / 1_048_576.0)),
        b => format!("{} GiB", digits(b / 1_073_741_824.0)),
    }
}

pub(super) fn heading(summary: &Summary) -> String {
    let what = match summary.mode.as_str() {
        "churn" => "connect, one message, close".to_owned(),
        "idle" => "idle".to_owned(),
        "storm" => "connect and one message, all at once".to_owned(),
        _ if summary.size == 0 => format!("depth {}", summary.depth),
        _ => format!("{} bytes, depth {}", summary.size, summary.depth),
    };
    let pace = match summary.rate_asked {
        Some(rate) => format!("open loop, {rate:.0}/s asked for"),
        None => "closed loop".to_owned(),
    };
    format!(
        "{}: {} connections, {what}, {pace}, {:.1} s after {:.1} s of warm-up, client {} ({} thread{})",
        summary.target,
        summary.connections,
        summary.seconds,
        summary.warmup_s,
        summary.client,
        summary.threads,
        if summary.threads == 1 { "" } else { "s" },
    )
}

/// Name and value, a line each.
pub(super) fn rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    // These two are counted from the first moment on: what fails in the warm-up is told, too.
    let is_warmed_up = summary.warmup_s > 0.0 && matches!(&*summary.mode, "stream" | "churn");
    let (connects, errors) = if is_warmed_up {
        ("connections made, warm-up too", "errors, warm-up too")
    } else {
        ("connections made", "errors")
    };
    if summary.mode == "idle" {
        rows.push((connects, summary.connects.to_string()));
    } else {
        let latency = &summary.latency_ns;
        rows.push(("messages", summary.messages.to_string()));
        if let Some(missing) = summary.missing {
            rows.push(("missing", missing.to_string()));
        }
        rows.push(("per second", format!("{:.0}", summary.rate)));
        if summary.mode == "stream" && summary.size > 0 {
            let rate = summary.rate * summary.size as f64;
            rows.push(("throughput, each way", format!("{}/s", bytes(rate))));
        }
        if summary.messages > 0 {
            for (name, value) in [
                ("latency min", latency.min as f64),
                ("latency mean", latency.mean),
                ("latency p50", latency.p50 as f64),
                ("latency p90", latency.p90 as f64),
                ("latency p99", latency.p99 as f64),
                ("latency p99.9", latency.p99_9 as f64),
                ("latency p99.99", latency.p99_99 as f64),
                ("latency max", latency.max as f64),
            ] {
                rows.push((name, time(value)));
            }
        }
        rows.push((connects, summary.connects.to_string()));
    }
    rows.push((errors, summary.error_count().to_string()));
    if let Some(busy) = summary.client_busy {
        rows.push(("client busy", format!("{:.0} %", busy * 100.0)));
    }
    if let Some(server) = &summary.server {
        rows.push(("server processor time", time(server.cpu_ns as f64)));
        if let Some(each) = server.cpu_ns_per_message {
            rows.push(("server, per message", time(each)));
        }
        rows.push(("server memory", bytes(server.resident as f64)));
        rows.push((
            "server, per connection",
            bytes(server.resident_per_connection),
        ));
    }
    rows
}

/// The table, and what else is to be said.
pub(crate) fn table(summary: &Summary) -> String {
    let mut text = format!("{}\n", heading(summary));
    if summary.pacing == "closed" && summary.mode != "idle" {
        text.push_str("(Closed loop: who waits for a slow answer asks nothing meanwhile. --rate is an open one.)\n");
    }
    text.push('\n');
    let rows = rows(summary);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|(_, value)| value.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<width$}  {value:>values$}");
    }
    for (kind, errors) in &summary.errors {
        let _ = writeln!(text, "\n  {} x {kind}\n    {}", errors.count, errors.sample);
    }
    for warning in &summary.warnings {
        let _ = writeln!(text, "\n  warning: {warning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        for (nanos, text) in [
            (0.4, "0 ns"),
            (999.0, "999 ns"),
            (1_234.0, "1.23 µs"),
            (12_345.0, "12.3 µs"),
            (9_999_000.0, "10.0 ms"),
            (123_456_789.0, "123 ms"),
            (2e9, "2.00 s"),
        ] {
            assert_eq!(time(nanos), text);
        }
        assert_eq!(bytes(1536.0), "1.50 KiB");
    }
}

//! The result as one HTML file: the table, and two plots drawn here.

use std::fmt::Write;

use super::Summary;
use super::table::{heading, rows, time};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels: left and below.
const LEFT: f64 = 70.0;
const BELOW: f64 = 30.0;

/// One file that needs nothing else.
pub(crate) fn html(summary: &Summary) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>load</title><style>\
         body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
         td{padding:.1em 2em .1em 0}td+td{text-align:right;font-variant-numeric:tabular-nums}\
         svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#555}\
         .warn{border-left:4px solid #c60;padding-left:.8em}\
         @media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}text{fill:#aaa}}</style>",
    );
    let _ = write!(
        page,
        "<h1>{}</h1><p>{}</p>",
        escape(&summary.target),
        escape(&heading(summary))
    );
    for warning in &summary.warnings {
        let _ = write!(page, "<p class=\"warn\">{}</p>", escape(warning));
    }
    page.push_str("<table>");
    for (name, value) in rows(summary) {
        let _ = write!(page, "<tr><td>{name}</td><td>{}</td></tr>", escape(&value));
    }
    page.push_str("</table>");
    if !summary.percentiles.is_empty() {
        page.push_str("<h2>Latency by percentile</h2>");
        page.push_str(&latency(summary));
    }
    if !summary.per_second.is_empty() {
        page.push_str("<h2>Messages in each second</h2>");
        page.push_str(&throughput(summary));
    }
    if !summary.errors.is_empty() {
        page.push_str("<h2>Errors</h2><table>");
        for (kind, errors) in &summary.errors {
            let _ = write!(
                page,
                "<tr><td>{}<br><small>{}</small></td><td>{}</td></tr>",
                escape(kind),
                escape(&errors.sample),
                errors.count
            );
        }
        page.push_str("</table>");
    }
    page.push_str("</html>\n");
    page
}

/// For text and for attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn begin(label: &str) -> String {
    let (w, h) = (WIDTH + LEFT, HEIGHT + BELOW);
    format!("<svg viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{label}\">")
}

/// A line across, with its label.
fn rule(svg: &mut String, y: f64, label: &str) {
    let (right, text) = (LEFT + WIDTH, LEFT - 6.0);
    let _ = write!(
        svg,
        "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#8884\"/><text x=\"{text}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
        y + 4.0
    );
}

/// Both axes are logarithmic: 50 %, 90 %, 99 % and so on at equal distances.
fn latency(summary: &Summary) -> String {
    let points = &summary.percentiles;
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).max(1e-6).log10();
    let last = points
        .iter()
        .map(|(p, _)| nines(*p))
        .filter(|n| *n < 6.0)
        .fold(1.0, f64::max);
    let values = points.iter().map(|(_, value)| (*value).max(1) as f64);
    let (low, high) = values.fold((f64::MAX, 1.0_f64), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let (low, high) = (
        low.log10().floor(),
        high.log10().ceil().max(low.log10().floor() + 1.0),
    );
    let x = |percentile: f64| LEFT + WIDTH * (nines(percentile).min(last) / last);
    let y = |value: f64| HEIGHT - HEIGHT * ((value.max(1.0).log10() - low) / (high - low));
    let mut svg = begin("latency by percentile");
    for power in low as i32..=high as i32 {
        let value = 10_f64.powi(power);
        rule(&mut svg, y(value), &time(value));
    }
    for (percentile, label) in [
        (0.0, "0"),
        (90.0, "90 %"),
        (99.0, "99 %"),
        (99.9, "99.9 %"),
        (99.99, "99.99 %"),
    ] {
        if nines(percentile) <= last {
            let (at, below) = (x(percentile), HEIGHT + 18.0);
            let _ = write!(
                svg,
                "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>"
            );
        }
    }
    let mut path = String::new();
    for (n, (percentile, value)) in points.iter().enumerate() {
        let step = if n == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{step}{:.1} {:.1}", x(*percentile), y(*value as f64));
    }
    let _ = write!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#28c\" stroke-width=\"2\"/></svg>"
    );
    svg
}

fn throughput(summary: &Summary) -> String {
    let most = summary.per_second.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = WIDTH / summary.per_second.len() as f64;
    let mut svg = begin("messages in each second");
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        rule(
            &mut svg,
            HEIGHT - HEIGHT * value / most,
            &format!("{value:.0}"),
        );
    }
    for (second, count) in summary.per_second.iter().enumerate() {
        let height = HEIGHT * *count as f64 / most;
        let (x, y) = (LEFT + width * second as f64, HEIGHT - height);
        let _ = write!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#28c\"><title>second {second}: {count}</title></rect>",
            (width * 0.85).max(0.5)
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_a_server_says_is_text_and_no_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}

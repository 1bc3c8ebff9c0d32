//! A timeline for a browser: one file, with a drawing in SVG and a table, and
//! nothing that is loaded or run.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::{Span, State, TaskLine, Timeline};

/// The drawing, in its own units: the names, then the time.
const WIDTH: u64 = 1_000;
const NAMES: u64 = 190;
const ROW: usize = 24;
const BAR: usize = 14;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wakeline timeline</title>
<style>
:root { color-scheme: light dark; --queued: #b45309; --running: #1d4ed8; --waiting: #9ca3af; --bad: #b91c1c }
@media (prefers-color-scheme: dark) { :root { --queued: #fbbf24; --running: #60a5fa; --waiting: #6b7280; --bad: #f87171 } }
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: currentColor }
.queued { fill: var(--queued) } .running { fill: var(--running) }
.waiting { fill: var(--waiting) } .bad { fill: var(--bad) }
.end { stroke: currentColor; stroke-width: 2 }
table { border-collapse: collapse; margin-top: 1rem } td, th { padding: .2rem .8rem; text-align: left }
</style></head><body><main>
<h1>Timeline</h1>
"#;

impl Timeline {
    /// The timeline as a web page: one file, that loads and runs nothing.
    ///
    /// Each task is a line: a low bar while it waits, a higher one while it is
    /// queued, the highest where it is polled, a stroke at its end. Pointing at a
    /// bar tells what it is. Below is a table of the tasks.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::trace::Recorder;
    ///
    /// let page = Recorder::new(10).timeline().to_html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// ```
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut html = HEAD.to_owned();
        // Writing to a `String` does not fail.
        let _ = self.write_html(&mut html);
        html
    }

    fn write_html(&self, to: &mut String) -> fmt::Result {
        let length = self.length();
        let height = ROW * (self.tasks.len() + 1);
        writeln!(
            to,
            "<p>{}.</p>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Timeline of the tasks\">",
            self.summary()
        )?;
        for quarter in 0..=4 {
            let x = NAMES + (WIDTH - NAMES) * quarter / 4;
            let anchor = match quarter {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            let at = length * quarter as u32 / 4;
            writeln!(
                to,
                "<text x=\"{x}\" y=\"16\" text-anchor=\"{anchor}\">{at:?}</text>"
            )?;
        }
        for (nth, task) in self.tasks.iter().enumerate() {
            self.write_lane(to, task, ROW * (nth + 1))?;
        }
        to.push_str("</svg>\n<table><thead><tr><th>task</th><th>spawned at</th><th>by</th><th>lived</th><th>polls</th><th>woken last by</th><th>ended</th></tr></thead><tbody>\n");
        for task in &self.tasks {
            write_row(to, task)?;
        }
        to.push_str("</tbody></table>\n</main></body></html>\n");
        Ok(())
    }

    fn write_lane(&self, to: &mut String, task: &TaskLine, top: usize) -> fmt::Result {
        let title = task.title();
        let short: String = title.chars().take(28).collect();
        let base = top + ROW - 8;
        writeln!(
            to,
            "<g><text x=\"0\" y=\"{base}\">{}<title>{}</title></text>",
            Escaped(&short),
            Escaped(&title)
        )?;
        for span in &task.spans {
            let Some((class, height)) = shape(span) else {
                continue;
            };
            let (x, until) = (self.x(span.from), self.x(span.to));
            // What takes no time is to be seen, too.
            let width = (until - x).max(1.5);
            let y = top + (ROW - height) / 2;
            let (about, took) = (about(span), span.to.saturating_sub(span.from));
            writeln!(
                to,
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"{height}\">\
                 <title>{} ({took:?})</title></rect>",
                Escaped(about)
            )?;
        }
        if let Some((at, how)) = &task.ended {
            let (x, bottom) = (self.x(*at), top + ROW - 2);
            writeln!(
                to,
                "<line class=\"end\" x1=\"{x:.2}\" x2=\"{x:.2}\" y1=\"{}\" y2=\"{bottom}\"><title>{}</title></line>",
                top + 2,
                Escaped(how)
            )?;
            if !matches!(how, super::End::Done) {
                let anchor = x.min(WIDTH as f64 - 60.0) + 4.0;
                writeln!(
                    to,
                    "<text class=\"bad\" x=\"{anchor:.2}\" y=\"{base}\">{}</text>",
                    how.word()
                )?;
            }
        }
        to.push_str("</g>\n");
        Ok(())
    }

    /// Where a moment is in the drawing.
    fn x(&self, at: Duration) -> f64 {
        let length = self.length().as_secs_f64();
        let since = at.saturating_sub(self.start).as_secs_f64();
        let share = if length > 0.0 { since / length } else { 0.0 };
        // Room for the last stroke.
        NAMES as f64 + share * (WIDTH - NAMES - 2) as f64
    }
}

/// Its class and its height; nothing for what took no time and is no poll.
fn shape(span: &Span) -> Option<(&'static str, usize)> {
    match span.state {
        State::Running { .. } => Some(("running", BAR + 4)),
        _ if span.from == span.to => None,
        State::Queued { .. } => Some(("queued", BAR - 4)),
        State::Waiting { .. } => Some(("waiting", BAR - 9)),
    }
}

fn about(span: &Span) -> String {
    match span.state {
        State::Queued { woken_by: None } => "queued: spawned".to_owned(),
        State::Queued { woken_by: Some(by) } => format!("queued: woken by {by}"),
        State::Running { worker: None } => "polled".to_owned(),
        State::Running {
            worker: Some(worker),
        } => format!("polled by worker {worker}"),
        State::Waiting { on: None } => "waits".to_owned(),
        State::Waiting { on: Some(on) } => format!("waits for {on}"),
    }
}

fn write_row(to: &mut String, task: &TaskLine) -> fmt::Result {
    write!(to, "<tr><td>{}</td>", Escaped(task.title()))?;
    let spawned_at = task.spawned_at.map(ToString::to_string);
    write!(to, "<td>{}</td>", Escaped(spawned_at.unwrap_or_default()))?;
    let by = task.spawned_by.map(|by| format!("#{by}"));
    write!(to, "<td>{}</td>", by.unwrap_or_default())?;
    write!(to, "<td>{:?}</td><td>{}</td>", task.lived(), task.polls())?;
    let woken = task.wakes().last().map(|by| by.to_string());
    write!(to, "<td>{}</td>", woken.unwrap_or_default())?;
    match &task.ended {
        Some((_, how)) => writeln!(to, "<td>{}</td></tr>", Escaped(how)),
        None => writeln!(to, "<td>not yet</td></tr>"),
    }
}

/// Text for an element or an attribute: it can be no markup.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.to_string().chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML.
                control if control.is_control() => f.write_char('\u{fffd}')?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

//! A timeline for programs.
//! By hand: it is little, and the crate has no dependency for it.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::{End, Span, State, TaskLine, Timeline, WokenBy};

impl Timeline {
    /// The timeline as JSON, in one line. Times are in nanoseconds.
    ///
    /// ```text
    /// { "schema": "wakeline-timeline-1",
    ///   "start_ns": 0, "end_ns": 3000000000, "dropped": 0,
    ///   "tasks": [
    ///     { "id": 7, "name": "a" or null, "root": false,
    ///       "spawned_at": "src/main.rs:3:5" or null, "spawned_by": 1 or null,
    ///       "created_ns": 0 or null,
    ///       "spans": [
    ///         { "from_ns": 0, "to_ns": 0, "state": "queued", "woken_by": see below },
    ///         { "from_ns": 0, "to_ns": 0, "state": "running", "worker": 0 or null },
    ///         { "from_ns": 0, "to_ns": 5, "state": "waiting",
    ///           "kind": "timer" or null, "on": 0, "at": "src/main.rs:4:9" }, ... ],
    ///       "ended": null or
    ///         { "at_ns": 5, "how": "done", "cancelled", "panicked" or "refused",
    ///           "reason": a text if it was cancelled, else null } }, ... ] }
    /// ```
    ///
    /// `woken_by` is a task's id, `"driver"`, `"outside"`, `"itself"`, or null if
    /// the task was spawned. Keys and words may be added; if one changes its
    /// meaning, the schema's number does.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::trace::Recorder;
    ///
    /// let empty = Recorder::new(10).timeline();
    /// assert_eq!(
    ///     empty.to_json(),
    ///     r#"{"schema":"wakeline-timeline-1","start_ns":0,"end_ns":0,"dropped":0,"tasks":[]}"#
    /// );
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        // Writing to a `String` does not fail.
        let _ = self.write_json(&mut json);
        json
    }

    fn write_json(&self, to: &mut String) -> fmt::Result {
        let (start, end) = (Nanos(self.start), Nanos(self.end));
        write!(
            to,
            r#"{{"schema":"wakeline-timeline-1","start_ns":{start},"end_ns":{end},"dropped":{},"tasks":["#,
            self.dropped
        )?;
        for (nth, task) in self.tasks.iter().enumerate() {
            to.push_str(if nth == 0 { "" } else { "," });
            write_task(to, task)?;
        }
        to.push_str("]}");
        Ok(())
    }
}

fn write_task(to: &mut String, task: &TaskLine) -> fmt::Result {
    let name = OrNull(task.name.as_deref().map(Text));
    let spawned_at = OrNull(task.spawned_at.map(Text));
    let (by, created) = (OrNull(task.spawned_by), OrNull(task.created.map(Nanos)));
    write!(
        to,
        r#"{{"id":{},"name":{name},"root":{},"spawned_at":{spawned_at},"spawned_by":{by},"created_ns":{created},"spans":["#,
        task.id, task.is_root
    )?;
    for (nth, span) in task.spans.iter().enumerate() {
        to.push_str(if nth == 0 { "" } else { "," });
        write_span(to, span)?;
    }
    to.push_str(r#"],"ended":"#);
    match &task.ended {
        None => to.push_str("null"),
        Some((at, how)) => {
            let reason = match how {
                End::Cancelled(reason) => Some(Text(reason)),
                _ => None,
            };
            let (at, word, reason) = (Nanos(*at), how.word(), OrNull(reason));
            write!(to, r#"{{"at_ns":{at},"how":"{word}","reason":{reason}}}"#)?;
        }
    }
    to.push('}');
    Ok(())
}

fn write_span(to: &mut String, span: &Span) -> fmt::Result {
    let (from, until) = (Nanos(span.from), Nanos(span.to));
    write!(to, r#"{{"from_ns":{from},"to_ns":{until},"#)?;
    match span.state {
        State::Queued { woken_by } => {
            to.push_str(r#""state":"queued","woken_by":"#);
            match woken_by {
                None => to.push_str("null"),
                Some(WokenBy::Task(id)) => write!(to, "{id}")?,
                Some(WokenBy::Driver) => to.push_str(r#""driver""#),
                Some(WokenBy::Outside) => to.push_str(r#""outside""#),
                Some(WokenBy::InPoll) => to.push_str(r#""itself""#),
            }
        }
        State::Running { worker } => {
            write!(to, r#""state":"running","worker":{}"#, OrNull(worker))?;
        }
        State::Waiting { on } => {
            let kind = OrNull(on.map(|on| Text(on.kind)));
            let id = OrNull(on.map(|on| on.id));
            let at = OrNull(on.map(|on| Text(on.location)));
            write!(to, r#""state":"waiting","kind":{kind},"on":{id},"at":{at}"#)?;
        }
    }
    to.push('}');
    Ok(())
}

/// Whole nanoseconds.
pub(super) struct Nanos(pub(super) Duration);

impl Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_nanos().fmt(f)
    }
}

struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A string in quotes, escaped.
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.to_string().chars() {
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                // Also what ends a line in JavaScript, and a script in HTML.
                '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '<' => {
                    write!(f, "\\u{:04x}", u32::from(char))?;
                }
                char => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}

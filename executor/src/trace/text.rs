//! A timeline for a terminal: one bar a task.

use std::fmt::Write;
use std::time::Duration;

use super::timeline::visible;
use super::{End, State, TaskLine, Timeline};

impl Timeline {
    /// The timeline as text: a line for each task, with a bar of `width` columns.
    ///
    /// In the bar `#` is a poll, `=` is queued, `-` waits; then `|` done,
    /// `x` cancelled, `!` panicked or refused. A column is a stretch of time, and
    /// shows the first of these that there is in it, but the end before all.
    /// After the bar: how long the task lived and who woke it last.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline_executor::trace::Recorder;
    /// use wakeline_executor::{Executor, task};
    ///
    /// let recorder = Recorder::new(1_000);
    /// let now = Instant::now();
    /// let executor = Executor::builder()
    ///     .workers(1)
    ///     .recorder(&recorder)
    ///     .clock(move || now) // one that stands still
    ///     .build()?;
    /// executor.block_on(task::Builder::new().name("a").spawn_on(&executor.handle(), async {}));
    /// let text = recorder.timeline().to_text(20);
    /// assert!(text.starts_with("2 tasks in 0ns\n"), "{text}");
    /// assert_eq!(text.lines().count(), 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn to_text(&self, width: usize) -> String {
        let titles: Vec<String> = self.tasks.iter().map(TaskLine::title).collect();
        let widest = titles.iter().map(|it| it.chars().count()).max();
        // More cannot be formatted.
        let widest = widest.unwrap_or(0).min(usize::from(u16::MAX));
        let mut text = String::new();
        text.push_str(&self.summary());
        text.push('\n');
        for (task, title) in self.tasks.iter().zip(titles) {
            let bar = self.bar(task, width);
            let lived = task.lived();
            // Writing to a `String` does not fail.
            let _ = write!(text, "{title:widest$} {bar} {lived:?}");
            match &task.ended {
                Some((_, End::Done)) => {}
                // A reason may be anything.
                Some((_, how)) => drop(write!(text, ", {}", visible(&how.to_string()))),
                None => text.push_str(", not ended"),
            }
            if let Some(by) = task.wakes().last() {
                let _ = write!(text, ", woken by {by}");
            }
            text.push('\n');
        }
        text
    }

    /// The headline: how many tasks, how long.
    pub(super) fn summary(&self) -> String {
        let plural = if self.tasks.len() == 1 { "" } else { "s" };
        let (count, length) = (self.tasks.len(), self.length());
        let forgotten = match self.dropped {
            0 => String::new(),
            dropped => format!("; {dropped} events before that are forgotten"),
        };
        format!("{count} task{plural} in {length:?}{forgotten}")
    }

    /// The bar of one task, as in [`to_text`](Timeline::to_text).
    #[must_use]
    pub fn bar(&self, task: &TaskLine, width: usize) -> String {
        let mut bar = vec![' '; width];
        for span in &task.spans {
            let sign = sign(span.state);
            let still = span.from == span.to;
            if still && sign != '#' {
                continue;
            }
            let (from, to) = (self.column(span.from, width), self.column(span.to, width));
            for place in bar.iter_mut().take(to + 1).skip(from) {
                if rank(sign) > rank(*place) {
                    *place = sign;
                }
            }
        }
        if let Some((at, how)) = &task.ended
            && let Some(place) = bar.get_mut(self.column(*at, width))
        {
            *place = match how {
                End::Done => '|',
                End::Cancelled(_) => 'x',
                End::Panicked | End::Refused => '!',
            };
        }
        bar.into_iter().collect()
    }

    /// Which of `width` columns a moment is in: the first is the start, the last
    /// is the end.
    fn column(&self, at: Duration, width: usize) -> usize {
        let length = self.length().as_nanos().max(1);
        let since = at.saturating_sub(self.start).as_nanos().min(length);
        let last = width.saturating_sub(1) as u128;
        // Nanoseconds of a century times a screen's width are far from the limit.
        usize::try_from(since.saturating_mul(last) / length).unwrap_or(usize::MAX)
    }
}

fn sign(state: State) -> char {
    match state {
        State::Running { .. } => '#',
        State::Queued { .. } => '=',
        State::Waiting { .. } => '-',
    }
}

/// Which of two signs stays.
fn rank(sign: char) -> u8 {
    match sign {
        '#' => 3,
        '=' => 2,
        '-' => 1,
        _ => 0,
    }
}

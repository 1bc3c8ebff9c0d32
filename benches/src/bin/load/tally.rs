//! What was measured: answers with their latencies, and errors by kind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that is told apart, in nanoseconds: an hour.
const LATENCY_MAX: u64 = 3_600_000_000_000;

/// When it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The end of the warm-up.
    pub(crate) from: Instant,
    /// Nothing falls due any more.
    pub(crate) until: Instant,
    /// An answer that has not come by now is given up.
    pub(crate) patience: Instant,
    /// An open loop: what was due in the window counts, also if its answer
    /// comes later; else those that a slow server has last were left out.
    by_due: bool,
}

impl Window {
    pub(crate) fn new(
        warmup: Duration,
        duration: Duration,
        drain: Duration,
        by_due: bool,
    ) -> Window {
        let from = Instant::now() + warmup;
        Window {
            from,
            until: from + duration,
            patience: from + duration + drain,
            by_due,
        }
    }

    fn has(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }
}

/// What all threads count, for the line that is shown meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) answers: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) connected: AtomicU64,
}

/// One thread's measurements.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Nanoseconds, three digits.
    pub(crate) latency: Histogram<u64>,
    /// Answers that came in each second of the window.
    pub(crate) per_second: Vec<u64>,
    pub(crate) errors: BTreeMap<String, Errors>,
    /// Connections that were made, over the whole run.
    pub(crate) connects: u64,
}

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Errors {
    pub(crate) count: u64,
    /// The first of them, in full.
    pub(crate) sample: String,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            latency: Histogram::new_with_bounds(1, LATENCY_MAX, 3)
                .unwrap_or_else(|error| unreachable!("constant bounds: {error}")),
            per_second: Vec::new(),
            errors: BTreeMap::new(),
            connects: 0,
        }
    }

    /// An answer came at `now` to what was due at `due`. Only those in the
    /// window count.
    pub(crate) fn answered(&mut self, window: Window, due: Instant, now: Instant, live: &Live) {
        // Relaxed, here and below: figures for the eye.
        live.answers.fetch_add(1, Ordering::Relaxed);
        if window.has(if window.by_due { due } else { now }) {
            let nanos = now.saturating_duration_since(due).as_nanos();
            self.latency
                .saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX).max(1));
        }
        if !window.has(now) {
            return;
        }
        let second = (now - window.from).as_secs() as usize;
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        self.per_second[second] += 1;
    }

    pub(crate) fn connected(&mut self, live: &Live) {
        self.connects += 1;
        live.connected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&mut self, fault: &Fault, live: &Live) {
        live.errors.fetch_add(1, Ordering::Relaxed);
        let errors = self.errors.entry(fault.kind.clone());
        errors
            .or_insert_with(|| Errors {
                count: 0,
                sample: fault.what.clone(),
            })
            .count += 1;
    }

    pub(crate) fn merge(&mut self, other: Tally) {
        self.latency
            .add(other.latency)
            .unwrap_or_else(|error| unreachable!("the same bounds: {error}"));
        if self.per_second.len() < other.per_second.len() {
            self.per_second.resize(other.per_second.len(), 0);
        }
        for (all, one) in self.per_second.iter_mut().zip(other.per_second) {
            *all += one;
        }
        for (kind, errors) in other.errors {
            let all = self.errors.entry(kind);
            all.and_modify(|all| all.count += errors.count)
                .or_insert(errors);
        }
        self.connects += other.connects;
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: String,
    pub(crate) what: String,
}

impl Fault {
    pub(crate) fn new(kind: impl Into<String>, what: impl Into<String>) -> Fault {
        Fault {
            kind: kind.into(),
            what: what.into(),
        }
    }

    /// An error of the system, while `doing` something.
    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Fault {
        let kind = format!("{doing}: {}", error.kind());
        Fault::new(kind, error.to_string())
    }

    /// The server closed while so many answers were due.
    pub(crate) fn closed(under_way: usize) -> Fault {
        let due = match under_way {
            0 => "nothing was due".to_owned(),
            1 => "1 answer was due".to_owned(),
            more => format!("{more} answers were due"),
        };
        let what = format!("the server closed the connection, {due}");
        Fault::new("closed by the server", what)
    }

    /// Time is over, and answers are due.
    pub(crate) fn unanswered() -> Fault {
        let what =
            "answers or connections were due long after the last request; `--drain` says how long";
        Fault::new("unanswered at the end", what.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_closed_loop_what_comes_in_the_window_counts() {
        let live = Live::default();
        let window = Window::new(
            Duration::from_secs(1),
            Duration::from_secs(2),
            Duration::ZERO,
            false,
        );
        let start = window.from - Duration::from_secs(1);
        let mut tally = Tally::new();
        for at in [0, 999, 1000, 1001, 2000, 2999, 3000] {
            let now = start + Duration::from_millis(at);
            tally.answered(window, now - Duration::from_millis(1), now, &live);
        }
        assert_eq!(tally.latency.len(), 4);
        assert_eq!(tally.per_second, [2, 2]);
        assert_eq!(live.answers.into_inner(), 7);
    }

    #[test]
    fn in_an_open_loop_what_was_due_in_the_window_counts_whenever_it_comes() {
        let live = Live::default();
        let (second, long) = (Duration::from_secs(1), Duration::from_secs(5));
        let window = Window::new(second, second, second, true);
        let (before, after) = (window.from - second, window.until + second);
        let mut tally = Tally::new();
        tally.answered(window, before, window.from, &live);
        assert_eq!((tally.latency.len(), &tally.per_second[..]), (0, &[1][..]));
        tally.answered(window, window.from, window.from + long, &live);
        assert_eq!((tally.latency.len(), &tally.per_second[..]), (1, &[1][..]));
        assert!(tally.latency.max() >= 5_000_000_000);
        tally.answered(window, window.until, after, &live);
        assert_eq!((tally.latency.len(), &tally.per_second[..]), (1, &[1][..]));
    }

    #[test]
    fn tallies_add_up() {
        let live = Live::default();
        let window = Window::new(
            Duration::ZERO,
            Duration::from_secs(9),
            Duration::ZERO,
            false,
        );
        let mut tallies = [(); 2].map(|()| Tally::new());
        let due = window.from;
        tallies[0].answered(window, due, due + Duration::from_secs(1), &live);
        tallies[1].answered(window, due, due + Duration::from_secs(3), &live);
        tallies[0].failed(&Fault::new("a", "first"), &live);
        tallies[1].failed(&Fault::new("a", "second"), &live);
        tallies[1].failed(&Fault::new("b", "third"), &live);
        let [mut all, other] = tallies;
        all.merge(other);
        assert_eq!(all.per_second, [0, 1, 0, 1]);
        assert_eq!(
            all.errors["a"],
            Errors {
                count: 2,
                sample: "first".to_owned()
            }
        );
        assert_eq!(all.errors["b"].count, 1);
        assert_eq!(all.latency.len(), 2);
    }
}

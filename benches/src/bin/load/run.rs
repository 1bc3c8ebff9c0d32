//! One run: what all its threads share, and how they begin and end together.
//!
//! ```text
//!   threads: connect ──▶ barrier ──▶ warm-up ──▶ measured ──▶ drain ──▶ tally
//!   main:    ──────────▶ barrier ──▶ shows the rate ──────▶ samples
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant};

use wakeline::{CancelToken, Driver};

use crate::cli::{Client, Mode, Options};
use crate::speak::Script;
use crate::tally::{Live, Window};
use crate::target::Address;

/// How long a connection may take to be made.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait before the next try after one that failed.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Messages under way in an open loop, if nobody says otherwise.
const OPEN_DEPTH: usize = 1000;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) address: Address,
    pub(crate) script: Script,
    pub(crate) mode: Mode,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    pub(crate) threads: usize,
    pub(crate) driver: Driver,
    pub(crate) spin: Duration,
    /// Between two messages of one connection, in an open loop.
    pub(crate) interval: Option<Duration>,
    warmup: Duration,
    duration: Duration,
    drain: Duration,
    window: OnceLock<Window>,
    /// All threads of the client, and the main thread.
    pub(crate) start: Barrier,
    pub(crate) live: Live,
    /// Ctrl-C.
    pub(crate) stop: CancelToken,
    /// Connections of a storm that are neither answered nor have failed.
    open: AtomicUsize,
    /// None of them is left.
    pub(crate) over: CancelToken,
    /// The main thread has sampled the end: what is held, idle or answered, may be
    /// closed.
    pub(crate) sampled: CancelToken,
}

impl Run {
    pub(crate) fn new(options: &Options, address: Address, script: Script) -> Run {
        let threads = match options.client {
            Client::Wakeline => options.threads.min(options.connections),
            Client::Threads => options.connections,
        };
        let share = options.connections as f64;
        let interval = options
            .rate
            .map(|rate| Duration::from_secs_f64(share / rate));
        let once = matches!(options.mode, Mode::Churn | Mode::Storm);
        Run {
            address,
            script,
            mode: options.mode,
            connections: options.connections,
            depth: match (options.depth, interval) {
                _ if once => 1,
                (Some(depth), _) => depth,
                (None, Some(_)) => OPEN_DEPTH,
                (None, None) => 1,
            },
            threads,
            driver: options.driver,
            spin: options.spin,
            interval,
            warmup: options.warmup,
            duration: options.duration,
            drain: options.drain,
            window: OnceLock::new(),
            start: Barrier::new(threads + 1),
            live: Live::default(),
            stop: CancelToken::new(),
            open: AtomicUsize::new(options.connections),
            over: CancelToken::new(),
            sampled: CancelToken::new(),
        }
    }

    /// One connection of a storm is answered or has failed.
    pub(crate) fn one_over(&self) {
        // Relaxed: the token orders what follows.
        if self.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.over.cancel("all are answered or have failed");
        }
    }

    /// When it is measured; begins with the first call, after the barrier.
    pub(crate) fn window(&self) -> Window {
        // All of a storm is due at once, and what is late is late.
        let by_due = self.interval.is_some() || self.mode == Mode::Storm;
        *self
            .window
            .get_or_init(|| Window::new(self.warmup, self.duration, self.drain, by_due))
    }

    /// How many messages fell due in so much of the window, if this is an open
    /// loop: that is known without asking any connection.
    pub(crate) fn due_within(&self, measured: Duration) -> Option<u64> {
        let from = self.window().from;
        let within = |nth| {
            let pace = self.pace(nth);
            pace.due_before(from + measured) - pace.due_before(from)
        };
        self.interval
            .map(|_| (0..self.connections).map(within).sum())
    }

    /// The connections of the `nth` thread.
    pub(crate) fn share(&self, nth: usize) -> std::ops::Range<usize> {
        let first = |nth: usize| nth * self.connections / self.threads;
        first(nth)..first(nth + 1)
    }

    /// When the messages of the `nth` connection are due.
    pub(crate) fn pace(&self, nth: usize) -> Pace {
        // Shifted against each other, lest all fall due in one moment.
        let shift = |interval: Duration| interval.mul_f64(nth as f64 / self.connections as f64);
        Pace {
            next: self.window().from - self.warmup + self.interval.map_or(Duration::ZERO, shift),
            interval: self.interval,
        }
    }
}

/// When the next message is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    next: Instant,
    /// `None`: a closed loop, where it is due as soon as there is room for it.
    interval: Option<Duration>,
}

impl Pace {
    /// When the next one is due, if that has come; it is taken then.
    pub(crate) fn take(&mut self, now: Instant, until: Instant) -> Option<Instant> {
        let Some(interval) = self.interval else {
            return (now < until).then_some(now);
        };
        let due = self.next;
        if due > now || due >= until {
            return None;
        }
        self.next += interval;
        Some(due)
    }

    /// When to look again, if only time can bring the next one.
    pub(crate) fn wait_until(&self, until: Instant) -> Option<Instant> {
        self.interval
            .map(|_| self.next)
            .filter(|next| *next < until)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.interval.is_some()
    }

    /// How many of an open loop are due before `until`.
    fn due_before(&self, until: Instant) -> u64 {
        let interval = self.interval.unwrap_or(Duration::MAX).as_nanos();
        let all = until.saturating_duration_since(self.next).as_nanos();
        u64::try_from(all.div_ceil(interval)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_has_its_times_whatever_happens() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut pace = Pace {
            next: start,
            interval: Some(second),
        };
        let until = start + 4 * second;
        assert_eq!(pace.take(start, until), Some(start));
        assert_eq!(pace.take(start, until), None);
        assert_eq!(pace.wait_until(until), Some(start + second));
        // Late: what was due is still due at its own time.
        let late = start + 9 * second;
        let due: Vec<_> = std::iter::from_fn(|| pace.take(late, until)).collect();
        assert_eq!(due, [1, 2, 3].map(|n| start + n * second));
        assert_eq!(pace.wait_until(until), None);
    }

    #[test]
    fn what_falls_due_is_as_many_as_can_be_taken() {
        let start = Instant::now();
        for interval in [1, 3, 7, 10, 11, 100].map(Duration::from_nanos) {
            for length in [0, 1, 9, 10, 11, 21].map(Duration::from_nanos) {
                let mut pace = Pace {
                    next: start,
                    interval: Some(interval),
                };
                let until = start + length;
                let known = pace.due_before(until);
                let taken = std::iter::from_fn(|| pace.take(until, until)).count();
                assert_eq!(known, taken as u64, "{interval:?} {length:?}");
            }
            let pace = Pace {
                next: start + interval,
                interval: Some(interval),
            };
            assert_eq!(pace.due_before(start), 0);
        }
    }

    #[test]
    fn a_closed_loop_is_due_now_until_the_end() {
        let start = Instant::now();
        let until = start + Duration::from_secs(1);
        let mut pace = Pace {
            next: start,
            interval: None,
        };
        assert_eq!(pace.take(start, until), Some(start));
        assert_eq!(pace.take(until, until), None);
    }
}

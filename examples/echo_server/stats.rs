//! The figures: counted where the bytes flow, added up when somebody asks.
//!
//! Each thread counts in a stripe of its own (a cache line that no other
//! thread writes), so that two workers that echo small messages do not fight
//! over one counter.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

const STRIPES: usize = 32;

/// What all connections together did so far.
#[derive(Debug)]
pub(crate) struct Stats {
    stripes: [Stripe; STRIPES],
    errors: Mutex<BTreeMap<String, u64>>,
}

/// One thread's counters. Relaxed throughout: they are figures, nothing else
/// in the program depends on their order.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    opened: AtomicU64,
    closed: AtomicU64,
    bytes: AtomicU64,
    messages: AtomicU64,
}

/// The figures at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Stats {
    pub(crate) fn new() -> Stats {
        Stats {
            stripes: Default::default(),
            errors: Mutex::default(),
        }
    }

    /// Counts a connection as open until the result is dropped.
    pub(crate) fn connection(&self) -> Open<'_> {
        self.stripe().opened.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// Counts a message that was echoed in full.
    pub(crate) fn echoed(&self, bytes: usize) {
        let stripe = self.stripe();
        stripe.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        stripe.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error under the name of its kind; tells whether it is the first of it.
    pub(crate) fn failed(&self, kind: &str) -> bool {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = errors.entry(kind.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    pub(crate) fn totals(&self) -> Totals {
        let sum = |of: fn(&Stripe) -> &AtomicU64| {
            self.stripes
                .iter()
                .map(|s| of(s).load(Ordering::Relaxed))
                .sum()
        };
        Totals {
            // Closed before opened: a connection that opens and ends meanwhile
            // must not make the number of open ones negative.
            closed: sum(|stripe| &stripe.closed),
            opened: sum(|stripe| &stripe.opened),
            bytes: sum(|stripe| &stripe.bytes),
            messages: sum(|stripe| &stripe.messages),
            errors: self
                .errors
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    fn stripe(&self) -> &Stripe {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
        }
        let mut mine = MINE.get();
        if mine == usize::MAX {
            mine = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
            MINE.set(mine);
        }
        &self.stripes[mine]
    }
}

/// An open connection; see [`Stats::connection`].
#[derive(Debug)]
pub(crate) struct Open<'a>(&'a Stats);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.stripe().closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The name under which an error is counted.
pub(crate) fn kind(error: &io::Error) -> String {
    let kind = error.kind().to_string();
    if kind == "uncategorized error" || kind == "other error" {
        error.to_string()
    } else {
        kind
    }
}

/// Bytes in the unit a person would say: "12 B", "3.4 MiB".
pub(crate) fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_from_several_threads_add_up() {
        let stats = Stats::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _open = stats.connection();
                    stats.echoed(10);
                    stats.echoed(5);
                });
            }
        });
        let totals = stats.totals();
        assert_eq!(
            (totals.opened, totals.closed, totals.bytes, totals.messages),
            (4, 4, 60, 8)
        );
    }

    #[test]
    fn only_the_first_error_of_a_kind_is_news() {
        let stats = Stats::new();
        assert!(stats.failed("connection reset"));
        assert!(!stats.failed("connection reset"));
        assert!(stats.failed("idle"));
        assert_eq!(stats.totals().errors["connection reset"], 2);
    }

    #[test]
    fn sizes_are_told_in_their_unit() {
        // (bytes, text)
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1 << 30, "1.0 GiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
        assert!(human(u64::MAX).ends_with(" TiB"));
    }
}

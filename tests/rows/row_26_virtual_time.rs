//! Virtual time: it stands still while code runs and jumps when all is blocked.

use std::cell::RefCell;
use std::future::Future;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wakeline::test::wait_all_blocked;
use wakeline::time::{self, advance, interval, sleep, sleep_until, timeout};
use wakeline::{FutureExt, Runtime, spawn, spawn_blocking, spawn_local, yield_now};

use crate::support::for_each_backend;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

/// Runs what `test` makes with paused time, on both backends.
#[track_caller]
pub(crate) fn paused<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for_each_backend(|backend| {
        let runtime = backend.builder().start_paused(true).build();
        runtime.expect("a runtime").block_on(test());
    });
}

/// What happened, and how long after the start.
#[derive(Clone)]
pub(crate) struct Log {
    start: Instant,
    lines: Rc<RefCell<Vec<(u64, String)>>>,
}

impl Log {
    pub(crate) fn new() -> Log {
        Log {
            start: time::now(),
            lines: Rc::default(),
        }
    }

    /// Notes `what` with the milliseconds since the start.
    #[track_caller]
    pub(crate) fn add(&self, what: impl Into<String>) {
        let since = time::now() - self.start;
        assert_eq!(since, MS(since.as_millis() as u64), "not exact");
        let line = (since.as_millis() as u64, what.into());
        self.lines.borrow_mut().push(line);
    }

    #[track_caller]
    pub(crate) fn expect(&self, lines: &[(u64, &str)]) {
        let seen = self.lines.take();
        let seen: Vec<(u64, &str)> = seen.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(seen, lines);
    }
}

#[test]
fn a_year_passes_at_once_and_exactly() {
    paused(|| async {
        let (real, start) = (Instant::now(), time::now());
        let year = S(60 * 60 * 24 * 365);
        sleep(year).await;
        assert_eq!(time::now() - start, year);
        assert!(real.elapsed() < S(60));
    });
}

#[test]
fn each_sleeper_sees_its_exact_deadline_and_equal_ones_fire_in_the_order_of_registration() {
    paused(|| async {
        let log = Log::new();
        let tasks: Vec<_> = [(30, "c"), (10, "a"), (30, "d"), (20, "b"), (30, "e")]
            .into_iter()
            .map(|(at, name)| {
                let log = log.clone();
                spawn_local(async move {
                    sleep(MS(at)).await;
                    log.add(name);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        log.expect(&[(10, "a"), (20, "b"), (30, "c"), (30, "d"), (30, "e")]);
    });
}

//! Virtual time: it stands still while code runs and jumps when all is blocked.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wakeline::test::wait_all_blocked;
use wakeline::time::{self, advance, interval, sleep, sleep_until};
use wakeline::{FutureExt, Handle, spawn, spawn_local, yield_now};

use crate::support::for_each_backend;

pub(crate) const S: fn(u64) -> Duration = Duration::from_secs;
pub(crate) const MS: fn(u64) -> Duration = Duration::from_millis;

/// Runs what `test` makes with paused time, on both backends.
#[track_caller]
pub(crate) fn paused<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for_each_backend(|backend| {
        let runtime = backend.builder().start_paused(true).build();
        runtime.expect("a runtime").block_on(test());
    });
}

/// The turns of the driver in a second of paused time: a few for one jump, and one more
/// for each timer that stands in its way.
pub(crate) async fn turns_of_a_second() -> u64 {
    let turns = || -> u64 {
        let metrics = Handle::current().metrics();
        metrics.workers.iter().map(|worker| worker.turns).sum()
    };
    let (start, before) = (time::now(), turns());
    sleep(S(1)).await;
    assert_eq!(time::now() - start, S(1));
    turns() - before
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
        let millis = since.as_millis() as u64;
        assert_eq!(since, MS(millis), "not exact");
        self.lines.borrow_mut().push((millis, what.into()));
    }

    #[track_caller]
    pub(crate) fn expect(&self, expected: &[(u64, &str)]) {
        let seen = self.lines.take();
        let seen: Vec<_> = seen.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(seen, expected);
    }

    /// A local task that sleeps and then notes `name`.
    pub(crate) fn sleeper(&self, millis: u64, name: &'static str) {
        let log = self.clone();
        drop(spawn_local(async move {
            sleep(MS(millis)).await;
            log.add(name);
        }));
    }
}

#[test]
fn a_year_passes_at_once_and_exactly() {
    paused(|| async {
        let start = time::now();
        let year = S(60 * 60 * 24 * 365);
        sleep(year).await;
        assert_eq!(time::now() - start, year);
    });
}

#[test]
fn each_sleeper_sees_its_deadline_and_equal_ones_fire_in_the_order_of_registration() {
    paused(|| async {
        let log = Log::new();
        for (at, name) in [(30, "c"), (10, "a"), (30, "d"), (20, "b"), (30, "e")] {
            log.sleeper(at, name);
        }
        sleep(MS(40)).await;
        log.expect(&[(10, "a"), (20, "b"), (30, "c"), (30, "d"), (30, "e")]);
    });
}

#[test]
fn deadlines_a_nanosecond_apart_are_two() {
    paused(|| async {
        let start = time::now();
        for nanos in [3, 1, 2, 100_000, 65_536, u64::pow(2, 37)] {
            let slept = spawn(async move {
                let start = time::now();
                sleep(Duration::from_nanos(nanos)).await;
                time::now() - start
            });
            assert_eq!(slept.await.expect("no panic"), Duration::from_nanos(nanos));
        }
        assert_eq!(
            time::now() - start,
            Duration::from_nanos(6 + 165_536 + (1 << 37))
        );
    });
}

#[test]
fn time_does_not_move_while_a_task_is_ready() {
    paused(|| async {
        let start = time::now();
        let busy = spawn(async move {
            for _ in 0..1_000 {
                assert_eq!(time::now(), start);
                yield_now().await;
            }
        });
        sleep(MS(1)).await;
        assert!(busy.is_finished());
        assert_eq!(time::now() - start, MS(1));
    });
}

#[test]
fn a_chain_of_wakes_ends_before_the_next_jump() {
    paused(|| async {
        let log = Log::new();
        for link in 0..5_u64 {
            let log = log.clone();
            drop(spawn_local(async move {
                sleep(MS(1)).await;
                for _ in 0..link * 100 {
                    yield_now().await;
                }
                log.add("link");
            }));
        }
        log.sleeper(2, "later");
        sleep(MS(3)).await;
        log.expect(&[
            (1, "link"),
            (1, "link"),
            (1, "link"),
            (1, "link"),
            (1, "link"),
            (2, "later"),
        ]);
    });
}

#[test]
fn advance_stops_at_each_deadline_on_its_way_and_lets_all_of_it_happen() {
    paused(|| async {
        let log = Log::new();
        let beats = log.clone();
        drop(spawn_local(async move {
            let mut beat = interval(MS(10));
            loop {
                beat.tick().await;
                beats.add("beat");
            }
        }));
        log.sleeper(25, "at the target");
        log.sleeper(26, "beyond");
        advance(MS(25)).await;
        log.add("there");
        log.expect(&[
            (0, "beat"),
            (10, "beat"),
            (20, "beat"),
            (25, "at the target"),
            (25, "there"),
        ]);
        advance(Duration::ZERO).await;
        log.expect(&[]);
        sleep(MS(2)).await;
        log.expect(&[(26, "beyond")]);
    });
}

#[test]
fn advances_of_two_tasks_both_arrive() {
    paused(|| async {
        let log = Log::new();
        for (by, name) in [(20, "long"), (10, "short"), (20, "also long")] {
            let log = log.clone();
            drop(spawn_local(async move {
                advance(MS(by)).await;
                log.add(name);
            }));
        }
        advance(MS(30)).await;
        log.add("main");
        log.expect(&[(10, "short"), (20, "long"), (20, "also long"), (30, "main")]);
    });
}

#[test]
fn a_dropped_advance_stops_the_time_where_it_is() {
    paused(|| async {
        let start = time::now();
        let moving = advance(S(3_600)).timeout(S(60));
        assert!(moving.await.is_err());
        assert_eq!(time::now() - start, S(60));
        wait_all_blocked().await;
        assert_eq!(time::now() - start, S(60), "nobody moves it any more");
    });
}

#[test]
fn without_auto_advance_only_advance_moves_the_time() {
    paused(|| async {
        time::auto_advance(false);
        let log = Log::new();
        log.sleeper(1, "slept");
        for _ in 0..3 {
            wait_all_blocked().await;
        }
        log.expect(&[]);
        advance(MS(5)).await;
        log.expect(&[(1, "slept")]);
        time::auto_advance(true); // at once
        sleep(MS(5)).await;
        log.add("by itself");
        log.expect(&[(10, "by itself")]);
    });
}

#[test]
fn wait_all_blocked_comes_before_the_jump_and_after_all_that_can_run() {
    paused(|| async {
        let log = Log::new();
        let other = log.clone();
        drop(spawn_local(async move {
            for _ in 0..100 {
                yield_now().await;
            }
            other.add("first wait");
            sleep(MS(1)).await;
            other.add("slept");
        }));
        wait_all_blocked().await;
        log.add("blocked");
        // Several at once, and one after the other without any time passing.
        let (a, b) = (spawn(wait_all_blocked()), spawn(wait_all_blocked()));
        wait_all_blocked().await;
        a.await.expect("no panic");
        b.await.expect("no panic");
        log.add("blocked");
        sleep(MS(2)).await;
        log.expect(&[
            (0, "first wait"),
            (0, "blocked"),
            (0, "blocked"),
            (1, "slept"),
        ]);
    });
}

#[test]
fn wait_all_blocked_works_while_time_goes_by_itself() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let done = spawn(async {
                for _ in 0..100 {
                    yield_now().await;
                }
            });
            wait_all_blocked().await;
            assert!(done.is_finished());
        });
    });
}

#[test]
fn a_dropped_wait_leaves_nothing_behind() {
    paused(|| async {
        let start = time::now();
        for _ in 0..100 {
            let _ = wait_all_blocked().timeout(Duration::ZERO).await;
            let _ = advance(S(60)).timeout(Duration::ZERO).await;
        }
        sleep(MS(1)).await;
        assert_eq!(time::now() - start, MS(1));
    });
}

#[test]
fn pausing_on_the_way_keeps_every_deadline_and_resuming_goes_on_from_there() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let start = time::now();
            let (near, far) = (start + S(1_800), start + S(3_600));
            let log: Rc<RefCell<Vec<&str>>> = Rc::default();
            for (deadline, name) in [(far, "far"), (near, "near"), (far, "far too")] {
                let log = Rc::clone(&log);
                drop(spawn_local(async move {
                    sleep_until(deadline).await;
                    assert!(time::now() >= deadline, "early");
                    log.borrow_mut().push(name);
                }));
            }
            wait_all_blocked().await; // all three are registered, by the real clock
            time::pause();
            wait_all_blocked().await; // ... and now by this one
            sleep_until(near).await;
            assert_eq!(time::now(), near);
            wait_all_blocked().await;
            assert_eq!(*log.borrow(), ["near"]);

            advance(S(1_799)).await;
            time::resume();
            assert!(!time::is_paused());
            let before = time::now();
            assert!(before >= near + S(1_799));
            assert_eq!(*log.borrow(), ["near"]);
            // Real time from here on, an hour ahead of the world's.
            sleep(MS(2)).await;
            assert!(time::now() >= before + MS(2), "early");
            time::pause();
            sleep_until(far).await;
            assert_eq!(time::now(), far);
            wait_all_blocked().await;
            assert_eq!(*log.borrow(), ["near", "far", "far too"]);
        });
    });
}

#[test]
fn a_resume_ends_an_advance() {
    paused(|| async {
        let start = time::now();
        let moving = spawn(advance(S(3_600)));
        sleep(S(1)).await;
        time::resume();
        moving.await.expect("no panic");
        assert!(time::now() - start < S(3_600));
    });
}

#[test]
fn forever_is_still_forever_and_the_end_of_time_is_reached() {
    paused(|| async {
        let start = time::now();
        let never = spawn(sleep(Duration::MAX));
        let century = spawn(sleep(S(60 * 60 * 24 * 365 * 100)));
        advance(Duration::MAX).await;
        assert!(century.is_finished());
        assert!(!never.is_finished());
        assert!(time::now() - start > S(60 * 60 * 24 * 365 * 500));
    });
}

/// Everything that has a limit and everything that repeats, with chance in it.
async fn a_day() -> Vec<(u64, String)> {
    let log = Log::new();
    let chance = crate::support::Chance::new();
    for task in 0..20 {
        let (log, mut chance) = (log.clone(), chance.fork(task));
        drop(spawn_local(async move {
            loop {
                let (nap, limit) = (chance.below(5_000), chance.below(5_000));
                let slept = sleep(MS(nap)).timeout(MS(limit)).await;
                log.add(format!("{task} {}", slept.is_ok()));
            }
        }));
    }
    sleep(S(100)).await;
    log.lines.take()
}

#[test]
fn the_same_program_gives_the_same_trace_each_time_and_on_both_backends() {
    let traces = RefCell::new(Vec::new());
    for _ in 0..2 {
        paused(|| async {
            let trace = a_day().await;
            traces.borrow_mut().push(trace);
        });
    }
    let traces = traces.into_inner();
    assert!(traces[0].len() > 500, "{}", traces[0].len());
    assert!(traces.iter().all(|trace| *trace == traces[0]));
}

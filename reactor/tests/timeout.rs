//! Timeouts and intervals, as a user sees them.

mod common;

use common::{block_on, for_each_driver, join, poll_once, turn_until};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use wakeline_context::{Polling, budget};
use wakeline_reactor::time::{MissedTick, interval, interval_at, sleep, timeout, timeout_at};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn past() -> Instant {
    Instant::now() - MS
}

#[test]
fn a_future_that_is_ready_wins_over_any_limit_and_needs_no_timer() {
    // On purpose without a runtime: nothing may ask for one.
    assert_eq!(
        poll_once(&mut timeout(Duration::ZERO, ready(1)), Waker::noop()),
        Poll::Ready(Ok(1))
    );
    assert_eq!(
        poll_once(&mut timeout_at(past(), ready(2)), Waker::noop()),
        Poll::Ready(Ok(2))
    );
    assert_eq!(
        poll_once(&mut timeout(Duration::MAX, ready(3)), Waker::noop()),
        Poll::Ready(Ok(3))
    );
}

#[test]
fn with_a_limit_that_has_passed_the_future_is_polled_once_and_no_more() {
    let polls = Cell::new(0);
    let count = || {
        polls.set(polls.get() + 1);
        Poll::<()>::Pending
    };
    assert!(
        poll_once(
            &mut timeout(Duration::ZERO, poll_fn(|_| count())),
            Waker::noop()
        )
        .is_ready()
    );
    assert!(poll_once(&mut timeout_at(past(), poll_fn(|_| count())), Waker::noop()).is_ready());
    assert_eq!(polls.get(), 2);
}

#[test]
fn the_limit_passes_and_never_early() {
    for_each_driver(|reactor| {
        let start = Instant::now();
        let (limited, line) = (timeout(3 * MS, pending::<()>()), line!());
        let elapsed = block_on(reactor, limited).unwrap_err();
        assert!(start.elapsed() >= 3 * MS); // the promise: never early, by the real clock
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let says = format!("the time limit set at {}:{line}:", file!());
        assert!(error.to_string().starts_with(&says), "{error}");
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn a_future_in_time_gives_its_own_result_and_takes_the_timer_away() {
    for_each_driver(|reactor| {
        let inner = async {
            sleep(MS).await;
            Err::<(), _>("its own")
        };
        assert_eq!(block_on(reactor, timeout(HOUR, inner)), Ok(Err("its own")));
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn the_future_is_dropped_before_the_caller_sees_the_error() {
    struct Held(Rc<Cell<bool>>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    for_each_driver(|reactor| {
        let dropped = Rc::new(Cell::new(false));
        let held = Held(Rc::clone(&dropped));
        let inner = async move {
            let _held = held;
            pending::<()>().await;
        };
        let mut limited = Box::pin(timeout(MS, inner));
        assert!(block_on(reactor, limited.as_mut()).is_err());
        assert!(dropped.get(), "though the timeout itself is alive");
        assert!(limited.get_ref().is_none());
    });
}

#[test]
fn no_limit_and_a_limit_of_forever_are_both_fine() {
    for_each_driver(|reactor| {
        assert!(block_on(reactor, timeout(None, sleep(MS))).is_ok());
        assert!(block_on(reactor, timeout(Duration::MAX, sleep(MS))).is_ok());
    });
}

#[test]
fn of_nested_timeouts_the_shorter_one_reports_and_with_equal_ones_the_inner() {
    for_each_driver(|reactor| {
        let at = Instant::now() + 2 * MS;
        let inner_first = timeout_at(at + HOUR, timeout_at(at, pending::<()>()));
        assert!(block_on(reactor, inner_first).is_ok_and(|inner| inner.is_err()));
        let at = Instant::now() + 2 * MS;
        let outer_first = timeout_at(at, timeout_at(at + HOUR, pending::<()>()));
        assert!(block_on(reactor, outer_first).is_err());
        let at = Instant::now() + 2 * MS;
        let equal = timeout_at(at, timeout_at(at, pending::<()>()));
        assert!(block_on(reactor, equal).is_ok_and(|inner| inner.is_err()));
    });
}

#[test]
fn a_future_that_uses_the_budget_up_does_not_escape_its_limit() {
    for_each_driver(|reactor| {
        // Always has something to do, and leaves nothing of the budget.
        let busy = poll_fn(|cx: &mut Context<'_>| {
            while let Poll::Ready(unit) = budget::poll_proceed(cx) {
                unit.spend();
            }
            Poll::<()>::Pending
        });
        let mut limited = pin!(timeout(MS, busy));
        turn_until(reactor, || {
            let _poll = Polling::begin();
            limited
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        });
    });
}

#[test]
fn a_running_limit_can_be_moved_and_taken_off() {
    for_each_driver(|reactor| {
        let mut limited = Box::pin(timeout(HOUR, pending::<()>()));
        assert_eq!(limited.deadline(), None, "it has not started");
        assert!(poll_once(&mut limited, Waker::noop()).is_pending());
        assert!(limited.deadline().is_some());
        limited.as_mut().reset(None);
        assert!(poll_once(&mut limited, Waker::noop()).is_pending());
        assert_eq!(limited.deadline(), None);
        limited.as_mut().reset(Instant::now() + MS);
        turn_until(reactor, || {
            poll_once(&mut limited, Waker::noop()).is_ready()
        });
    });
}

#[test]
fn a_second_poll_after_the_limit_panics_with_the_line() {
    let caught = std::panic::catch_unwind(|| {
        let mut limited = timeout(Duration::ZERO, timeout(None, ready(())));
        let mut late = timeout(Duration::ZERO, pending::<()>());
        assert!(poll_once(&mut limited, Waker::noop()).is_ready());
        assert!(poll_once(&mut late, Waker::noop()).is_ready());
        let _ = poll_once(&mut late, Waker::noop());
    });
    let message = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("timeout.rs"), "{message}");
}

#[test]
fn the_first_tick_is_immediate_and_the_others_a_period_apart() {
    for_each_driver(|reactor| {
        let start = Instant::now();
        let mut beat = interval(2 * MS);
        let mut due = Vec::new();
        for _ in 0..4 {
            due.push(block_on(reactor, beat.tick()));
            assert!(Instant::now() >= *due.last().unwrap());
        }
        assert!(due[0] >= start);
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 2 * MS));
    });
}

#[test]
fn a_dropped_tick_is_not_lost() {
    for_each_driver(|reactor| {
        let mut wait = 2 * MS;
        let (start, mut beat) = loop {
            let start = Instant::now() + wait;
            let mut beat = interval_at(start, HOUR);
            let twice = [(); 2].map(|()| poll_once(&mut beat.tick(), Waker::noop()).is_pending());
            let timers = reactor.metrics().timers;
            if Instant::now() < start {
                assert_eq!((twice, timers), ([true; 2], 1));
                break (start, beat);
            }
            wait *= 2; // it was over before it was polled
        };
        assert_eq!(block_on(reactor, beat.tick()), start);
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn ticks_that_were_missed_are_made_up_or_left_out() {
    for_each_driver(|reactor| {
        // As if asked for the first time after 3.5 periods.
        let period = HOUR;
        let start = Instant::now() - 3 * period - period / 2;
        let mut beat = interval_at(start, period);
        for late in 0..4 {
            assert_eq!(
                block_on(reactor, beat.tick()),
                start + late * period,
                "burst"
            );
        }
        assert!(poll_once(&mut beat.tick(), Waker::noop()).is_pending());

        let mut beat = interval_at(start, period).missed(MissedTick::Skip);
        assert_eq!(block_on(reactor, beat.tick()), start);
        assert!(poll_once(&mut beat.tick(), Waker::noop()).is_pending());
        assert_eq!(beat.missed_tick(), MissedTick::Skip);
    });
}

#[test]
fn an_interval_can_start_over() {
    for_each_driver(|reactor| {
        let mut beat = interval(HOUR);
        beat.reset();
        assert!(poll_once(&mut beat.tick(), Waker::noop()).is_pending());
        beat.reset_immediately();
        assert!(poll_once(&mut beat.tick(), Waker::noop()).is_ready());
        beat.reset_after(MS);
        block_on(reactor, beat.tick());
        let at = Instant::now() + MS;
        beat.reset_at(at);
        assert_eq!(block_on(reactor, beat.tick()), at);
    });
}

#[test]
#[should_panic(expected = "yield_now")]
fn a_period_of_zero_is_refused_with_advice() {
    let _ = interval(Duration::ZERO);
}

#[test]
fn a_limit_on_a_pair_ends_both() {
    for_each_driver(|reactor| {
        let both = timeout(MS, join(sleep(HOUR), sleep(HOUR)));
        assert!(block_on(reactor, both).is_err());
        assert_eq!(reactor.metrics().timers, 0);
    });
}

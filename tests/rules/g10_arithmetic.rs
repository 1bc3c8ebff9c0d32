//! G10: the longest duration is "never", an instant that is past is "already":
//! neither overflows.

use crate::primitives::{Cell, Rule, all};
use crate::support::for_each_backend;
use crate::world::{Count, Wait, poll};
use std::future::{pending, ready};
use std::time::Duration;
use wakeline::sync::RateLimiter;
use wakeline::time::{self, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at};
use wakeline::{CancelToken, Runtime, scope};

const MAX: Duration = Duration::MAX;
const LONG: [Duration; 3] = [
    MAX,
    Duration::from_secs(u64::MAX),
    Duration::from_secs(u64::MAX / 2),
];

const TAKE_TIME: [&str; 7] = [
    "time::sleep",
    "time::sleep_until",
    "time::timeout",
    "Interval::tick",
    "RateLimiter::acquire",
    "CancelToken::cancelled",
    "scope and its child",
];

pub(crate) fn takes_time(name: &str) -> bool {
    TAKE_TIME.contains(&name)
}

fn on_a_paused_clock(check: impl AsyncFn()) {
    for_each_backend(|backend| {
        let runtime = backend
            .builder()
            .workers(1)
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            time::auto_advance(false);
            check().await;
        });
    });
}

fn waits<F: Future<Output: 'static> + 'static>(future: F) -> Wait {
    let mut wait: Wait = Box::pin(async move { Box::new(future.await) as Box<dyn std::any::Any> });
    let (_, waker) = Count::new();
    assert!(poll(&mut wait, &waker).is_pending());
    wait
}

#[test]
fn each_primitive_that_takes_a_duration_is_in_this_file() {
    let tested = all()
        .into_iter()
        .filter(|row| row.cell(Rule::Arithmetic) == Cell::Tested);
    assert_eq!(tested.count(), TAKE_TIME.len());
}

#[test]
fn the_longest_durations_are_never() {
    on_a_paused_clock(async || {
        for long in LONG {
            let mut all = vec![
                waits(sleep(long)),
                waits(timeout(long, pending::<()>())),
                waits(CancelToken::new().with_timeout(long).cancelled()),
                waits(scope(|_| pending::<Result<(), ()>>()).timeout(long)),
            ];
            let mut ticks = interval(long);
            ticks.tick().await; // the first is due at once
            all.push(waits(async move { ticks.tick().await }));
            let limiter = RateLimiter::new(1, long);
            limiter.try_acquire().expect("it starts full");
            assert!(limiter.try_acquire().is_err());
            all.push(waits(async move { limiter.acquire().await }));
            time::advance(Duration::from_secs(100 * 365 * 24 * 3_600)).await;
            let (_, waker) = Count::new();
            for (index, wait) in all.iter_mut().enumerate() {
                assert!(
                    poll(wait, &waker).is_pending(),
                    "{index} after a hundred years"
                );
            }
            assert_eq!(timeout(long, ready(7)).await, Ok(7));
        }
    });
}

#[test]
fn what_is_past_is_already_due() {
    on_a_paused_clock(async || {
        let past = now();
        time::advance(Duration::from_secs(60)).await;
        sleep_until(past).await;
        sleep(Duration::ZERO).await;
        assert_eq!(timeout_at(past, ready(7)).await, Ok(7));
        assert!(timeout_at(past, pending::<()>()).await.is_err());
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        assert_eq!(
            interval_at(past, Duration::from_secs(3_600)).tick().await,
            past
        );
        CancelToken::new().with_deadline(past).cancelled().await;
        CancelToken::new()
            .with_timeout(Duration::ZERO)
            .cancelled()
            .await;
        let late = scope(|_| pending::<Result<(), ()>>()).deadline(past).await;
        assert!(late.is_err_and(|error| error.is_elapsed()));
    });
}

#[test]
fn a_runtime_waits_as_long_as_it_is_told_without_overflow() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(async {
        let never = wakeline::spawn(sleep(MAX));
        let soon = timeout(Duration::from_millis(1), pending::<()>());
        assert!(soon.await.is_err());
        never.abort();
    });
}

//! Timers: made, dropped, fired.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::io::Error;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use wakeline::time::{now, sleep, sleep_until, timeout};
use wakeline::{Builder, Driver, spawn_local};

fn run(future: impl Future<Output = ()> + 'static) -> Result<(), Error> {
    super::on_one_worker(Driver::Epoll, future)
}

fn far(n: u64) -> Duration {
    Duration::from_secs(60 + n % 64)
}

/// Polls a sleep once, as a select would that another branch wins.
async fn begin(sleep: impl Future<Output = ()>) {
    let mut sleep = pin!(sleep);
    poll_fn(|cx| {
        assert!(
            sleep.as_mut().poll(cx).is_pending(),
            "a minute has not passed"
        );
        Poll::Ready(())
    })
    .await;
}

fn timers(alive: u64, ops: u64) -> Result<(), Error> {
    run(async move {
        let mut others: Vec<_> = (0..alive).map(|n| Box::pin(sleep(far(n)))).collect();
        for other in &mut others {
            begin(other.as_mut()).await;
        }
        for n in 0..ops {
            begin(sleep(far(n))).await;
        }
    })
}

pub(super) fn timer_alone(ops: u64) -> Result<(), Error> {
    timers(0, ops)
}

pub(super) fn timer_crowd(ops: u64) -> Result<(), Error> {
    timers(10_000, ops)
}

/// By a clock that stands until all wait and goes straight to the next deadline: so the
/// number of turns is the same each time, however late the kernel wakes who sleeps. How
/// many slots of the wheel one comes down through hangs on the digits of its deadline, so
/// these are spread, for a mean that hardly hangs on when the run began.
pub(super) fn timer_fires(ops: u64) -> Result<(), Error> {
    const DEADLINES: u64 = 64;
    let builder = Builder::new().workers(1).driver(Driver::Epoll);
    super::on(builder.start_paused(true), async move {
        let first = now() + Duration::from_secs(5);
        let at = |n: u64| first + Duration::from_micros(137_213) * (n % DEADLINES) as u32;
        let tasks: Vec<_> = (0..ops).map(|n| spawn_local(sleep_until(at(n)))).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    })
}

pub(super) fn timeout_ready(ops: u64) -> Result<(), Error> {
    run(async move {
        for n in 0..ops {
            let ready = ready(black_box(n));
            assert_eq!(timeout(far(n), ready).await.ok(), Some(n));
        }
    })
}

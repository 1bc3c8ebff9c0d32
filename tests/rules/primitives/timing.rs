//! What waits for the clock, which is paused here.

use super::{Primitive, row};
use crate::world::{Job, Lent, World, leak};
use std::future::pending;
use std::time::Duration;
use wakeline::sync::RateLimiter;
use wakeline::time::{advance, interval_at, now, sleep, sleep_until, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn a_second_passes() -> Job {
    Box::pin(async { advance(SECOND).await })
}

pub(super) fn rows() -> Vec<Primitive> {
    vec![
        row!("time::sleep", All, async {
            World::later(|| sleep(SECOND), a_second_passes)
        }),
        row!("time::sleep_until", All, async {
            let due = now() + SECOND;
            World::later(move || sleep_until(due), a_second_passes)
        }),
        row!("time::timeout", All, async {
            World::later(|| timeout(SECOND, pending::<()>()), a_second_passes)
        }),
        row!("Interval::tick", Only, async {
            let interval = Lent::new(interval_at(now() + SECOND, SECOND));
            let wait = move || {
                let mut interval = interval.take();
                async move { interval.get().tick().await }
            };
            World::later(wait, a_second_passes)
        }, NoTrace: "the waker is in the interval's one timer; tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("RateLimiter::acquire", One, async {
            let limiter = leak(RateLimiter::new(1, SECOND));
            limiter.try_acquire().expect("it starts full");
            World::later(|| limiter.acquire(), a_second_passes)
                .attempt(|| limiter.try_acquire().is_ok())
                .state(limiter)
        }),
    ]
}

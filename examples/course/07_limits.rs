//! 7. Two sorts of limit: so many at once, so many a second.
//!
//! A semaphore bounds how many are in at the same time, a rate limiter how many
//! begin in a span of time. Both serve first come, first served: nobody barges
//! in, and who gives up loses nobody's turn.
//!
//! In asyncio: `Semaphore` (which tutorials call rate limiting, but it is not);
//! a rate limiter comes from a library. In trio: `CapacityLimiter`.
//!
//! ```text
//! 10 requests, 3 at once: 4 rounds of 10 ms, 3 at most
//! 6 requests, 2 in 100 ms: at [0, 0, 50, 100, 150, 200] ms
//! without waiting: refused, try again in 50 ms
//! ```

#[macro_use]
mod support;

use std::cell::Cell;

use support::{MS, ms_since};
use wakeline::future::join_all;
use wakeline::sync::{RateLimiter, Semaphore};
use wakeline::time::{now, sleep};

/// Ten requests behind a semaphore; how many were in at most.
async fn at_once() -> u32 {
    let three = Semaphore::new(3);
    let (inside, most) = (Cell::new(0), Cell::new(0));
    join_all((0..10).map(async |_| {
        let Ok(_permit) = three.acquire().await else {
            return;
        };
        inside.set(inside.get() + 1);
        most.set(most.get().max(inside.get()));
        sleep(10 * MS).await;
        inside.set(inside.get() - 1);
    }))
    .await;
    most.get()
}

fn main() {
    support::run(async {
        let start = now();
        let most = at_once().await;
        let rounds = ms_since(start) / 10;
        say!("10 requests, 3 at once: {rounds} rounds of 10 ms, {most} at most");

        // A burst of two, and then one more each 50 ms.
        let two = RateLimiter::new(2, 100 * MS);
        let start = now();
        let began = join_all((0..6).map(async |_| {
            two.acquire().await;
            ms_since(start)
        }));
        say!("6 requests, 2 in 100 ms: at {:?} ms", began.await);
        if let Err(limited) = two.try_acquire() {
            let after = limited.retry_after().as_millis();
            say!("without waiting: refused, try again in {after} ms");
        }
    });
}

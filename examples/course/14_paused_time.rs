//! 14. Time in tests: an hour in no time, and the same in each run.
//!
//! All of the course runs like this. Paused time stands while code runs, and
//! jumps to the next deadline when everything waits; `advance` moves it by hand,
//! and everything due on the way has happened when it returns;
//! `wait_all_blocked` waits until each task is at its first wait, with no time
//! gone by. What `time::now` says is what timers go by.
//!
//! In trio: `testing.MockClock(autojump_threshold=0)`, `wait_all_tasks_blocked`.
//! asyncio has nothing of the kind: tests patch the loop's `time`, or sleep.
//!
//! ```text
//! a day of sleep: 86400 s by the runtime's clock, less than one by the wall's
//! heartbeats in an hour: 60
//! at 59 s the session is open, at 60 s it is closed
//! blocked: the order is known: ["first", "second"]
//! ```

#[macro_use]
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wakeline::test::wait_all_blocked;
use wakeline::time::{advance, auto_advance, interval_at, now, sleep};
use wakeline::{FutureExt, spawn};

const MINUTE: Duration = Duration::from_secs(60);

/// What is tested: it counts its beats until it is dropped.
async fn heartbeat(beats: &mut u32) {
    let mut ticks = interval_at(now() + MINUTE, MINUTE);
    loop {
        ticks.tick().await;
        *beats += 1;
    }
}

async fn course() {
    let (start, wall) = (now(), Instant::now());
    sleep(24 * 60 * MINUTE).await;
    let (slept, took) = ((now() - start).as_secs(), wall.elapsed().as_secs());
    let took = if took == 0 { "less than one" } else { "much" };
    say!("a day of sleep: {slept} s by the runtime's clock, {took} by the wall's");

    let mut beats = 0;
    let _ = heartbeat(&mut beats)
        .timeout(60 * MINUTE + MINUTE / 2)
        .await;
    say!("heartbeats in an hour: {beats}");

    // By hand: only `advance` moves the time from here on.
    auto_advance(false);
    let session = spawn(sleep(MINUTE));
    wait_all_blocked().await; // it sleeps by now
    advance(59 * MINUTE / 60).await;
    let at_59 = if session.is_finished() {
        "closed"
    } else {
        "open"
    };
    advance(MINUTE / 60).await;
    let at_60 = if session.is_finished() {
        "closed"
    } else {
        "open"
    };
    say!("at 59 s the session is {at_59}, at 60 s it is {at_60}");

    let order = Arc::new(Mutex::new(Vec::new()));
    for (name, naps) in [("second", 2), ("first", 1)] {
        let order = Arc::clone(&order);
        drop(spawn(async move {
            sleep(naps * MINUTE).await;
            order
                .lock()
                .unwrap_or_else(|poison| poison.into_inner())
                .push(name);
        }));
    }
    wait_all_blocked().await;
    advance(2 * MINUTE).await;
    let order = order.lock().unwrap_or_else(|poison| poison.into_inner());
    say!("blocked: the order is known: {order:?}");
}

fn main() {
    // In a test: `Runtime::builder().start_paused(true)`, or `time::pause()`.
    support::runtime(|builder| builder.start_paused(true)).block_on(course());
}

//! 1. One after the other, and at once.
//!
//! Calling an `async fn` makes a future, and a future does nothing until it is
//! awaited. Two awaits in a row are two waits in a row; `join!` waits for both
//! at once, and takes as long as the longest.
//!
//! In asyncio: `await a(); await b()`, against `asyncio.gather(a(), b())`, and
//! `asyncio.create_task(a())`.
//!
//! ```text
//! one after the other: 600 ms
//! at once: 300 ms, [page a, page b, page c]
//! made, not awaited: 0 ms
//! spawned: nothing of the task has run yet
//!   the task runs
//! awaited: page d
//! ```

#[macro_use]
mod support;

use std::time::Duration;

use support::{MS, ms_since};
use wakeline::time::{now, sleep};
use wakeline::{join, spawn};

async fn fetch(page: char, takes: Duration) -> String {
    sleep(takes).await;
    format!("page {page}")
}

fn main() {
    support::run(async {
        let start = now();
        fetch('a', 100 * MS).await;
        fetch('b', 200 * MS).await;
        fetch('c', 300 * MS).await;
        say!("one after the other: {} ms", ms_since(start));

        let start = now();
        let (a, b, c) = join!(
            fetch('a', 100 * MS),
            fetch('b', 200 * MS),
            fetch('c', 300 * MS),
        );
        say!("at once: {} ms, [{a}, {b}, {c}]", ms_since(start));

        // The compiler warns of a future that nobody awaits; `drop` says that it is meant.
        let start = now();
        drop(fetch('x', 100 * MS));
        say!("made, not awaited: {} ms", ms_since(start));

        // A task goes on by itself; but it is queued, and starts no sooner than
        // whoever spawned it waits. (So it is in asyncio, whatever is told of it.)
        let task = spawn(async {
            say!("  the task runs");
            fetch('d', 100 * MS).await
        });
        say!("spawned: nothing of the task has run yet");
        match task.await {
            Ok(page) => say!("awaited: {page}"),
            Err(error) => say!("the task is lost: {error}"),
        }
    });
}

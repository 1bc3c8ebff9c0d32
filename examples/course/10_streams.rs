//! 10. Streams and generators: values that come one after the other.
//!
//! A generator is an async block that emits. It runs only while somebody waits
//! for the next item, so it is never ahead of its reader; dropped early, its
//! destructors run there and then. Adapters add concurrency and time.
//!
//! In asyncio: `async for`, `async def` with `yield`, `__aiter__`/`__anext__`.
//! `aclosing` is needed there to clean up early; here it is the drop.
//!
//! ```text
//! 3, 2, 1, lift off
//! the body ran only as far as it was asked: [1, 2]
//!   the generator is cleaned up
//! 5 pages, 2 at once: [1, 2, 3, 4, 5] after 30 ms
//! of two streams: ["a", "1", "b", "2"]
//! in batches of 2, or after 25 ms: [[0, 1], [2, 3], [4]]
//! an error is the last item: [Ok(1), Ok(2), Err("three")]
//! ```

#[macro_use]
mod support;

use std::pin::pin;

use support::{MS, ms_since};
use wakeline::stream::{FlowExt, Stream, StreamExt, gen_stream, iter, try_gen_stream};
use wakeline::time::{now, sleep};

fn countdown(from: u32) -> impl Stream<Item = u32> {
    gen_stream(move |y| async move {
        for n in (1..=from).rev() {
            y.emit(n).await;
            sleep(10 * MS).await;
        }
    })
}

struct CleanUp;

impl Drop for CleanUp {
    fn drop(&mut self) {
        say!("  the generator is cleaned up");
    }
}

fn main() {
    support::run(async {
        let mut count = pin!(countdown(3));
        let mut line = String::new();
        while let Some(n) = count.next().await {
            line += &format!("{n}, ");
        }
        say!("{line}lift off");

        let endless = gen_stream(|y| async move {
            let _clean_up = CleanUp;
            for n in 1.. {
                y.emit(n).await;
            }
        });
        let mut endless = Box::pin(endless);
        let two = [endless.next().await, endless.next().await];
        say!(
            "the body ran only as far as it was asked: {:?}",
            two.map(Option::unwrap_or_default)
        );
        drop(endless);

        let start = now();
        let fetch = async |page| {
            sleep(10 * MS).await;
            page
        };
        let pages: Vec<u32> = iter(1..=5).map(fetch).buffered(2).collect().await;
        say!("5 pages, 2 at once: {pages:?} after {} ms", ms_since(start));

        let merged: Vec<_> = iter(["a", "b"]).merge(iter(["1", "2"])).collect().await;
        say!("of two streams: {merged:?}");

        let ticks = gen_stream(|y| async move {
            for n in 0..5 {
                y.emit(n).await;
                sleep(10 * MS).await;
            }
        });
        let batches: Vec<_> = ticks.chunks_timeout(2, 25 * MS).collect().await;
        say!("in batches of 2, or after 25 ms: {batches:?}");

        let fails = try_gen_stream(|y| async move {
            y.emit(1).await;
            y.emit(2).await;
            Err("three")
        });
        say!(
            "an error is the last item: {:?}",
            fails.collect::<Vec<_>>().await
        );
    });
}

//! 2. All of them: `join!`, `try_join!`, `join_all`, `as_completed`.
//!
//! Results come in the order of the inputs, whoever was first. With `try_`, the
//! first error is returned at once and the others are dropped: they do not go
//! on. `as_completed` is the loop over results in the order in which they come.
//!
//! In asyncio: `gather`, `gather(return_exceptions=True)`, `as_completed`. There
//! a failing `gather` leaves the others running; here it cannot, as they are
//! parts of what was dropped.
//!
//! ```text
//! join_all: [30, 10, 20] after 30 ms
//! as completed: #1 10 at 10 ms
//! as completed: #2 20 at 20 ms
//! as completed: #0 30 at 30 ms
//! join_all of results: [Ok(1), Err("no such page"), Ok(3)]
//!   dropped half-way: slow
//! try_join!: Err("no such page") after 10 ms
//! try_join_tasks: disk full
//! ```

#[macro_use]
mod support;

use support::{MS, ms_since};
use wakeline::future::{as_completed, join_all, try_join_tasks};
use wakeline::join_set::TaskError;
use wakeline::stream::StreamExt;
use wakeline::time::{now, sleep};
use wakeline::{spawn, try_join};

async fn nap(ms: u32) -> u32 {
    sleep(ms * MS).await;
    ms
}

/// Says so if it is dropped before its end.
struct Unfinished(&'static str);

impl Drop for Unfinished {
    fn drop(&mut self) {
        say!("  dropped half-way: {}", self.0);
    }
}

async fn slow() -> Result<u32, &'static str> {
    let unfinished = Unfinished("slow");
    sleep(500 * MS).await;
    std::mem::forget(unfinished);
    Ok(500)
}

async fn fails() -> Result<u32, &'static str> {
    sleep(10 * MS).await;
    Err("no such page")
}

fn main() {
    support::run(async {
        let start = now();
        let naps = join_all([30, 10, 20].map(nap)).await;
        say!("join_all: {naps:?} after {} ms", ms_since(start));

        let start = now();
        let mut completed = as_completed([30, 10, 20].map(nap));
        while let Some((index, nap)) = completed.next().await {
            say!("as completed: #{index} {nap} at {} ms", ms_since(start));
        }

        // With return_exceptions=True: an error is a result like the others.
        let results = join_all(
            [1, 2, 3].map(|page| async move { if page == 2 { fails().await } else { Ok(page) } }),
        );
        say!("join_all of results: {:?}", results.await);

        let start = now();
        let result = try_join!(slow(), fails());
        say!("try_join!: {result:?} after {} ms", ms_since(start));

        // A task's handle has an error of its own (it panicked, it was cancelled)
        // around that of the task: `try_join_tasks` sees both.
        let tasks =
            [1, 2].map(|n| spawn(async move { if n == 2 { Err("disk full") } else { Ok(n) } }));
        match try_join_tasks(tasks).await {
            Ok(values) => say!("try_join_tasks: {values:?}"),
            Err(TaskError::Failed(error)) => say!("try_join_tasks: {error}"),
            Err(other) => say!("try_join_tasks: {other}"),
        }
    });
}

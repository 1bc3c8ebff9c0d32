//! 11. What blocks goes to a thread that may.
//!
//! A call that blocks would stop everything else on its thread. `spawn_blocking`
//! runs it on a thread of a pool, and gives a handle as of a task. A job that
//! runs cannot be stopped from outside, so a long one asks whether it should go
//! on; one that still waits for a thread is taken out of the queue.
//!
//! In asyncio: `to_thread`, `run_in_executor`. In trio: `to_thread.run_sync`,
//! `from_thread.check_cancelled`, and `CapacityLimiter` for the threads.
//!
//! ```text
//! the loop goes on: sent 1
//! the loop goes on: sent 2
//! the loop goes on: sent 3
//! the job blocked its thread for them: 6
//! a panic comes out of the handle: no such file
//! told to stop, the job stopped: true
//! the scope has waited for its job: [1, 2, 3]
//! ```

#[macro_use]
mod support;

use std::sync::mpsc;
use std::thread;

use wakeline::sync::oneshot;
use wakeline::{ScopeError, scope, spawn_blocking, task, yield_now};

async fn loop_goes_on() {
    let (send, receive) = mpsc::channel::<u32>();
    // Blocks in `recv`, until the last sender is gone.
    let job = spawn_blocking(move || receive.iter().sum::<u32>());
    for n in 1..=3 {
        let _ = send.send(n);
        say!("the loop goes on: sent {n}");
        yield_now().await;
    }
    drop(send);
    if let Ok(sum) = job.await {
        say!("the job blocked its thread for them: {sum}");
    }
}

async fn panics() {
    // What the default hook prints of a panic, to standard error, is left out.
    std::panic::set_hook(Box::new(|_| {}));
    let job = spawn_blocking(|| panic!("no such file"));
    if let Err(error) = job.await
        && let Some(message) = error.into_panic().downcast_ref::<&str>()
    {
        say!("a panic comes out of the handle: {message}");
    }
    let _ = std::panic::take_hook();
}

async fn told_to_stop() {
    let (started, begun) = oneshot::channel();
    let (stopped, ended) = oneshot::channel();
    let job = spawn_blocking(move || {
        let _ = started.send(());
        while !task::is_cancelled() {
            thread::yield_now(); // a piece of work
        }
        let _ = stopped.send(true);
    });
    let _ = begun.await;
    job.cancel("the user has left");
    say!(
        "told to stop, the job stopped: {}",
        ended.await.unwrap_or(false)
    );
}

async fn in_a_scope() -> Result<Vec<u32>, ScopeError<()>> {
    scope(|s| async move {
        let sorted = s.spawn_blocking(|| {
            let mut numbers = vec![3, 1, 2];
            numbers.sort_unstable();
            Ok(numbers)
        });
        Ok(sorted.await.unwrap_or_default())
    })
    .await
}

fn main() {
    support::run(async {
        loop_goes_on().await;
        panics().await;
        told_to_stop().await;
        say!(
            "the scope has waited for its job: {:?}",
            in_a_scope().await.unwrap_or_default()
        );
    });
}

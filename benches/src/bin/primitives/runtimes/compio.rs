//! compio: its own executor and timers. It has no channels and no locks; its
//! users take those of others, which are measured with theirs.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::rows::{DROPPED, Gone, OPS, Runtime, TASKS, far, give_way, noop, per_op, poll_and_drop};
use compio::runtime::JoinHandle;
use compio::time::sleep;

fn block_on<F: Future + 'static>(future: F) -> F::Output
where
    F::Output: 'static,
{
    let runtime = compio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { join(compio::runtime::spawn(future)).await })
}

fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
where
    F::Output: 'static,
{
    compio::runtime::spawn(future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.expect("no panic")
}

async fn abort<T>(task: JoinHandle<T>) {
    assert!(task.cancel().await.is_none());
}

async fn timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    compio::time::timeout(limit, future)
        .await
        .expect("it was ready")
}

task_rows!();
timer_rows!();
million_timers_row!();
abort_rows!();

async fn job<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    compio::runtime::spawn_blocking(job)
        .await
        .expect("no panic")
}

fn grow(node: crate::across::LocalNode) -> impl Future<Output = u64> {
    let task = compio::runtime::spawn(node);
    async move { task.await.expect("no panic") }
}

clock_rows!();
wake_rows!();
blocking_rows!();
tree_row!(tree, crate::across::LocalNode, block_on, grow);
block_on_row!(
    compio::runtime::Runtime::new().expect("a runtime"),
    |runtime: &mut compio::runtime::Runtime, ready| runtime.block_on(ready)
);

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "compio",
    rows: table![
        spawn_join,
        spawn_all_join_all,
        abort_join,
        yields,
        timer_alone,
        timer_10k,
        timer_1m,
        timeout_ready,
        tree,
        thread_and_back,
        blocking_alone,
        blocking_thousand,
        block_on_ready,
        sleep_late,
        sleep_crowd,
    ],
};

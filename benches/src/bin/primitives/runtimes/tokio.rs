//! tokio: the current-thread runtime, `spawn_local` on a `LocalSet`, which is
//! the faster of its ways on one thread.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::rows::{DROPPED, Gone, OPS, Runtime, TASKS, far, give_way, noop, per_op, poll_and_drop};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit, mpsc, oneshot as once};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::sleep;

fn block_on<F: Future + 'static>(future: F) -> F::Output
where
    F::Output: 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        tokio::task::spawn_local(future).await.expect("no panic")
    })
}

fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
where
    F::Output: 'static,
{
    tokio::task::spawn_local(future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.expect("no panic")
}

async fn abort<T>(task: JoinHandle<T>) {
    task.abort();
    assert!(task.await.is_err());
}

fn channel<T>(capacity: usize) -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(capacity)
}

async fn send<T>(to: &mpsc::Sender<T>, value: T) {
    assert!(to.send(value).await.is_ok());
}

async fn recv<T>(from: &mut mpsc::Receiver<T>) -> Option<T> {
    from.recv().await
}

fn oneshot<T>() -> (once::Sender<T>, once::Receiver<T>) {
    once::channel()
}

fn reply<T>(to: once::Sender<T>, value: T) {
    assert!(to.send(value).is_ok());
}

async fn answer<T>(from: once::Receiver<T>) -> T {
    from.await.expect("a reply")
}

async fn acquire(semaphore: &Semaphore) -> SemaphorePermit<'_> {
    semaphore.acquire().await.expect("it is open")
}

async fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().await
}

async fn timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    tokio::time::timeout(limit, future)
        .await
        .expect("it was ready")
}

task_rows!();
channel_rows!();
lock_rows!();
timer_rows!();
million_timers_row!();
abort_rows!();

async fn job<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(job).await.expect("no panic")
}

fn on_two<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build();
    runtime.expect("a runtime").block_on(future)
}

fn grow(node: crate::across::Node) -> impl Future<Output = u64> + Send {
    let task = tokio::spawn(node);
    async move { task.await.expect("no panic") }
}

clock_rows!();
wake_rows!();
blocking_rows!();
tree_row!(tree, crate::across::Node, on_two, grow);
block_on_row!(
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime"),
    |runtime: &mut tokio::runtime::Runtime, ready| runtime.block_on(ready)
);

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "tokio",
    rows: table![
        spawn_join,
        spawn_all_join_all,
        abort_join,
        yields,
        ping_pong,
        one_shot_reply,
        one_to_one,
        eight_to_one,
        semaphore_10,
        mutex,
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

//! monoio: its io_uring driver, with local-sync, which uses no atomics.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::rows::{OPS, Runtime, TASKS, far, give_way, noop, per_op, poll_and_drop};
use local_sync::mpsc::bounded as mpsc;
use local_sync::oneshot as once;
use local_sync::semaphore::{Semaphore, SemaphorePermit as Permit};
use monoio::task::JoinHandle;
use monoio::time::sleep;

fn block_on<F: Future + 'static>(future: F) -> F::Output
where
    F::Output: 'static,
{
    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .enable_timer()
        .build()
        .expect("a runtime");
    runtime.block_on(async { monoio::spawn(future).await })
}

fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
where
    F::Output: 'static,
{
    monoio::spawn(future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await
}

fn channel<T>(capacity: usize) -> (mpsc::Tx<T>, mpsc::Rx<T>) {
    mpsc::channel(capacity)
}

async fn send<T>(to: &mpsc::Tx<T>, value: T) {
    assert!(to.send(value).await.is_ok());
}

async fn recv<T>(from: &mut mpsc::Rx<T>) -> Option<T> {
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

async fn acquire(semaphore: &Semaphore) -> Permit<'_> {
    semaphore.acquire().await.expect("it is open")
}

async fn timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    monoio::time::timeout(limit, future)
        .await
        .expect("it was ready")
}

task_rows!();
channel_rows!();
timer_rows!();
million_timers_row!();

/// It has no mutex: a cell behind a semaphore of one.
struct Mutex {
    semaphore: Semaphore,
    value: std::cell::Cell<u64>,
}

impl Mutex {
    fn new(value: u64) -> Mutex {
        Mutex {
            semaphore: Semaphore::new(1),
            value: std::cell::Cell::new(value),
        }
    }
}

struct Guard<'a> {
    mutex: &'a Mutex,
    value: u64,
    _permit: Permit<'a>,
}

impl std::ops::Deref for Guard<'_> {
    type Target = u64;
    fn deref(&self) -> &u64 {
        &self.value
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut u64 {
        &mut self.value
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.mutex.value.set(self.value);
    }
}

async fn lock(mutex: &Mutex) -> Guard<'_> {
    let permit = acquire(&mutex.semaphore).await;
    Guard {
        mutex,
        value: mutex.value.get(),
        _permit: permit,
    }
}

lock_rows!();

fn grow(node: crate::across::LocalNode) -> impl Future<Output = u64> {
    monoio::spawn(node)
}

clock_rows!();
tree_row!(tree, crate::across::LocalNode, block_on, grow);
block_on_row!(
    monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .build()
        .expect("a runtime"),
    |runtime: &mut monoio::Runtime<_>, ready| runtime.block_on(ready)
);

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "monoio",
    rows: table![
        spawn_join,
        spawn_all_join_all,
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
        block_on_ready,
        sleep_late,
        sleep_crowd,
    ],
};
